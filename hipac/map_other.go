//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package hipac

import (
	"errors"
	"os"
)

// errNoMap says that a file cannot be mapped.
var errNoMap = errors.New("the file cannot be mapped")

// mapFile maps no file here: they are read into memory.
func mapFile(*os.File) (data []byte, unmap func() error, err error) {
	return nil, func() error { return nil }, errNoMap
}
