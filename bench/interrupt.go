package main

// Interrupts: the first signal ends what is measured, so that what there is by then
// is printed; the second one ends the program.

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
)

// errInterrupted ends what the user does not want any more.
var errInterrupted = errors.New("interrupted")

// sameSignal is the time within which a signal that comes again is the same one.
const sameSignal = 500 * time.Millisecond

// interruptible returns a context that ends with errInterrupted at an interrupt, or
// when the program is asked to end or loses its terminal; with the second such
// signal the program ends at once. The same signal again within half a second is
// the same one: some callers, timeout among them, send it to the program and to its
// group. Until stop is called, writing to a closed pipe
// is an error and does not end the program. Contexts of several calls all end.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, over := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		var first os.Signal
		var when time.Time
		for {
			select {
			case <-over:
				return
			case s := <-signals:
				switch {
				case s == syscall.SIGPIPE, s == first && time.Since(when) < sameSignal:
				case ctx.Err() == nil:
					first, when = s, time.Now()
					cancel(errInterrupted)
				default:
					compare.KillAll()
					leftovers.remove()
					os.Exit(exitData)
				}
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(over)
		cancel(nil)
	})
}

// leftovers are files and folders that must not stay when the program ends at once.
var leftovers scratch

// scratch is a set of paths, for any number of goroutines.
type scratch struct {
	mu    sync.Mutex
	paths map[string]bool
}

// add takes a path up; drop removes what is there and forgets it.
func (s *scratch) add(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths == nil {
		s.paths = map[string]bool{}
	}
	s.paths[path] = true
}

func (s *scratch) drop(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	removeAll(path)
	delete(s.paths, path)
}

// remove removes all of them. Nothing can be added afterwards.
func (s *scratch) remove() {
	s.mu.Lock()
	for path := range s.paths {
		removeAll(path)
	}
}

// removeAll removes a file or a folder, into which what was just ended may have
// written once more.
func removeAll(path string) {
	for range 10 {
		if os.RemoveAll(path) == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
