//go:build !linux

package main

// Where there are no CPU clocks that the standard library reads, wall-clock
// time, which counts what other programs do too.

import "time"

const threadClock = "wall-clock time"

var began = time.Now()

func threadTime() time.Duration { return time.Since(began) }

func processTime() time.Duration { return time.Since(began) }
