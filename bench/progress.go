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
	return &progress{bar: bar}
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

// done takes the bar away.
func (p *progress) done() {
	if p != nil {
		_ = p.bar.Clear()
	}
}
