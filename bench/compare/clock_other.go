//go:build !linux

package compare

// Where there are no CPU clocks that the standard library reads, wall-clock
// time, which counts what other programs do too.

import "time"

// Clock says what ThreadTime measures.
const Clock = "wall-clock time"

var began = time.Now()

// ThreadTime returns the time since some moment.
func ThreadTime() time.Duration { return time.Since(began) }

// ProcessTime returns the time since some moment.
func ProcessTime() time.Duration { return time.Since(began) }

// childTime returns the time since some moment, whatever the process.
func childTime(int) (time.Duration, error) { return time.Since(began), nil }
