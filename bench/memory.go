package main

// How much memory there is to take.

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// availableMemory returns the bytes that the program can take, as far as the
// system tells: the least of what the kernel has available and what is left of
// the limit of the control group; ok is false where it tells neither.
func availableMemory() (n int64, ok bool) {
	take := func(m int64) {
		if !ok || m < n {
			n, ok = m, true
		}
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range bytes.Lines(data) {
			words := strings.Fields(string(line))
			if len(words) > 1 && words[0] == "MemAvailable:" {
				if kB, err := strconv.ParseInt(words[1], 10, 64); err == nil {
					take(kB << 10)
				}
			}
		}
	}
	most, err1 := readNumber("/sys/fs/cgroup/memory.max")
	used, err2 := readNumber("/sys/fs/cgroup/memory.current")
	if err1 == nil && err2 == nil {
		take(max(0, most-used))
	}
	return n, ok
}

func readNumber(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// checkMemory returns an error when what takes about so many bytes does not fit
// into the memory that there is.
func checkMemory(what string, bytes int64) error {
	if n, ok := availableMemory(); ok && bytes > n {
		return fmt.Errorf("%s takes about %s of memory, and %s are available: ask for less", what, size(bytes), size(n))
	}
	return nil
}
