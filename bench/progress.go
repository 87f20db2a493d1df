package main

// Progress on a terminal.

import (
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows what a long run is at. Any goroutine may call it; nil shows
// nothing.
type progress struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

// newProgress returns the progress of the phases of a run, or nil when stderr
// is no terminal.
func (a *app) newProgress(phase string, total int) *progress {
	if !a.terminal {
		return nil
	}
	bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription(phase),
		progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true), progressbar.OptionThrottle(100*time.Millisecond))
	_ = bar.RenderBlank()
	a.bar = &progress{bar: bar}
	return a.bar
}

// at shows that n of the total are done.
func (p *progress) at(n int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Set(n)
}

// describe says what it is at.
func (p *progress) describe(what string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.Describe(what)
}

// done takes the bar away, until it is told of more.
func (p *progress) done() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = p.bar.Clear()
	}
}

// grow moves the bar from one place towards another, a step a second and not the
// last one, until it is told to stop.
func (p *progress) grow(from, to int) (stop func()) {
	if p == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for at := from; ; {
			select {
			case <-end:
				return
			case <-tick.C:
				at = max(at, min(at+1, to-1))
				p.at(at)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
