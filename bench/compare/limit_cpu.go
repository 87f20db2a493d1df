package compare

// A limit on the CPU time of a build: a machine that is busy with other things
// makes nothing too slow.

import (
	"context"
	"errors"
	"time"
)

// ErrCPU means that Load has taken more CPU time than it may, see WithCPU.
var ErrCPU = errors.New("more CPU time than it may take")

// cpuKey is the key of a context's limit.
type cpuKey struct{}

// WithCPU returns a context under which Load of the contestants of this package
// ends with ErrCPU once it has taken more than so much CPU time, of all threads:
// of this process, in which nothing else should work then, or of the peer's from
// its start on, which reads the rules first. It is looked at a hundred times in
// that time, or each tenth of a second. Engines that do not look at their context
// go on to the end. What waits and does not work takes none: a bound by the clock
// is the context's own.
func WithCPU(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, cpuKey{}, limit)
}

// watchCPU returns a context that ends when the clock has gone on by the limit of
// WithCPU. A clock that cannot be read any more ends nothing.
func watchCPU(ctx context.Context, clock func() (time.Duration, error)) (context.Context, func()) {
	limit, ok := ctx.Value(cpuKey{}).(time.Duration)
	if !ok {
		return ctx, func() {}
	}
	start, err := clock()
	if err != nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if limit <= 0 {
		cancel(ErrCPU)
	}
	go func() {
		tick := time.NewTicker(min(100*time.Millisecond, max(time.Millisecond, limit/100)))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now, err := clock()
			if err != nil {
				return
			}
			if now-start > limit {
				cancel(ErrCPU)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
