package compare

// CPU clocks.

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock says what ThreadTime measures.
const Clock = "thread CPU time"

// ThreadTime returns the CPU time of the calling thread since some moment. The
// caller must have locked its goroutine to it.
func ThreadTime() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ProcessTime returns the CPU time of all threads since some moment.
func ProcessTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("compare: reading the CPU clock: " + err.Error()) // every Linux has it
	}
	return time.Duration(t.Nano())
}

// childTime returns the CPU time of all threads of another process since it began.
func childTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	// How clock_getcpuclockid(3) makes the clock of a process: the number of the
	// process inverted, and CPUCLOCK_SCHED.
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}
