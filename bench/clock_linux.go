package main

// CPU clocks.

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadClock says what threadTime measures.
const threadClock = "thread CPU time"

// threadTime returns the CPU time of the calling thread. The caller must have
// locked its goroutine to it.
func threadTime() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processTime returns the CPU time of all threads.
func processTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("bench: reading the CPU clock: " + err.Error()) // every Linux has it
	}
	return time.Duration(t.Nano())
}
