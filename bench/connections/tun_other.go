//go:build !linux

package connections

import "errors"

// TUN is a TUN device, which there is on Linux.
type TUN struct{}

// OpenTUN returns an error: TUN devices are opened on Linux.
func OpenTUN(name string) (*TUN, error) {
	return nil, errors.New(name + ": TUN devices are opened on Linux only")
}

// Write does nothing.
func (*TUN) Write(packet []byte) (int, error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (*TUN) Close() error { return nil }
