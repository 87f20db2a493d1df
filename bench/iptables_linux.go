package main

// Network namespaces, the tools in them, and a sender of packets.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hipac-go/classifier/bench/compare"
)

// inNamespace calls f in a network namespace of its own, on a thread that ends
// with it. Programs that f starts are in it, too.
func inNamespace(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := enterNamespace()
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// runTool runs a tool to its end and returns its time by the clock.
func runTool(ctx context.Context, patience time.Duration, args []string, input string) (time.Duration, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return 0, fmt.Errorf("there is no %s", args[0])
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s takes more than %s", args[0], patience))
	defer cancel()
	c := exec.CommandContext(ctx, path, args[1:]...)
	c.WaitDelay = 5 * time.Second
	c.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // an interrupt is ours to pass on
	c.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	start := time.Now()
	err = c.Run()
	took := time.Since(start)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, fmt.Errorf("%s: %w: %s", args[0], err, firstLine(out.Bytes()))
	}
	return took, nil
}

// sender sends packets over the loopback of a namespace. What receives them is
// never read: once its buffer is full, packets end there.
type sender struct{ to, from int }

// newSender brings the loopback up.
func newSender() (s *sender, err error) {
	s = &sender{-1, -1}
	defer func() {
		if err != nil {
			s.close()
			err = fmt.Errorf("a socket in the namespace: %w", err)
		}
	}()
	if s.to, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return nil, err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err = unix.IoctlIfreq(s.to, unix.SIOCSIFFLAGS, lo); err != nil {
		return nil, err
	}
	if err = unix.SetsockoptInt(s.to, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil { // the least that there is
		return nil, err
	}
	if err = unix.Bind(s.to, loopback(portPasses)); err != nil {
		return nil, err
	}
	s.from, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return s, err
}

func loopback(port int) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

func (s *sender) close() {
	for _, fd := range []int{s.to, s.from} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// payload is what packets carry.
var payload [18]byte

// send sends a packet.
func (s *sender) send(port int) error {
	for {
		err := unix.Sendto(s.from, payload[:], 0, loopback(port))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// check reports whether packets pass all rules: the last one drops packets to
// portLast, which the sender is told, and none those to portPasses.
func (s *sender) check() error {
	if err := s.send(portPasses); err != nil {
		return fmt.Errorf("wrong: a packet that no rule is about does not pass: %w", err)
	}
	if err := s.send(portLast); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("wrong: a packet that the last rule drops passes (%v)", err)
	}
	return nil
}

// times sends packets in as many passes as all is measured in, and returns the
// thread's nanoseconds of CPU time for one in each, and how many were sent.
func (s *sender) times(ctx context.Context, e effort) (ns []float64, sent int, err error) {
	for p := range passes + 1 {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		start, n := compare.ThreadTime(), 0
		took := time.Duration(0)
		for took < max(e.most/2, time.Microsecond) {
			for range 8 {
				if err := s.send(portPasses); err != nil {
					return nil, 0, fmt.Errorf("sending: %w", err)
				}
			}
			n += 8
			took = compare.ThreadTime() - start
		}
		if p > 0 { // the first one fills buffers and caches
			ns = append(ns, float64(took.Nanoseconds())/float64(n))
			sent += n
		}
	}
	return ns, sent, nil
}
