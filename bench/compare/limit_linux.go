package compare

// A bound of the memory of a peer's process, for engines that do not count.

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// spareMemory is what a process may take beyond what the engine may: a runtime's
// memory, and that which a library reserves when it begins (DPDK: 2 GiB).
const spareMemory = 3 << 30

// limitMemory ends this process when it takes more than spareMemory and twice so
// many bytes beyond what it has now: a garbage collector may keep as much rubbish
// as there is data. 0 is no bound.
func limitMemory(bytes int64) error {
	limit := uint64(unix.RLIM_INFINITY)
	if bytes > 0 && bytes < math.MaxInt64/4 {
		limit = uint64(dataBytes() + 2*bytes + spareMemory)
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &r); err != nil {
		return fmt.Errorf("the limit of memory: %w", err)
	}
	r.Cur = min(limit, r.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &r); err != nil {
		return fmt.Errorf("the limit of memory: %w", err)
	}
	return nil
}

// dataBytes returns what the limit counts, private memory that can be written
// to, or 0 when nobody says.
func dataBytes() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if text, ok := strings.CutPrefix(in.Text(), "VmData:"); ok {
			var kib int64
			fmt.Sscanf(text, "%d kB", &kib)
			return kib << 10
		}
	}
	return 0
}
