//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package hipac

// Mapping files.

import (
	"errors"
	"math"
	"os"
	"syscall"
)

// errNoMap says that a file cannot be mapped.
var errNoMap = errors.New("the file cannot be mapped")

// mapFile maps a file for reading. unmap gives the memory back.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	nothing := func() error { return nil }
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > math.MaxInt {
		return nil, nothing, errNoMap
	}
	if data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		return nil, nothing, errNoMap
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
