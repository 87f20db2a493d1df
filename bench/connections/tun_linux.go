package connections

// TUN devices of Linux.

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// TUN is a TUN device. What is written to it comes in through the interface.
type TUN struct {
	fd     int
	name   string
	raised bool // it was down before
}

// OpenTUN opens the TUN device of a name, or makes one that lasts until Close,
// and brings it up until then. It needs the capability CAP_NET_ADMIN.
func OpenTUN(name string) (*TUN, error) {
	req, err := unix.NewIfreq(name)
	if err != nil || name == "" {
		return nil, fmt.Errorf("%q is no name of an interface: 1 to %d bytes", name, unix.IFNAMSIZ-1)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	t := &TUN{fd: fd, name: name}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Close()
		switch {
		case errors.Is(err, unix.EBUSY):
			err = errors.New("another program has it open")
		case errors.Is(err, unix.EINVAL):
			err = errors.New("it is no TUN device, or the name is none for one")
		case errors.Is(err, unix.EPERM):
			err = fmt.Errorf("%w; it takes the capability CAP_NET_ADMIN", os.ErrPermission)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if t.raised, err = t.set(true); err != nil {
		t.Close()
		return nil, fmt.Errorf("%s: bringing it up: %w", name, err)
	}
	return t, nil
}

// set brings the device up or down, and reports whether it was not so before.
func (t *TUN) set(up bool) (changed bool, err error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(t.name)
	if err != nil {
		return false, err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, req); err != nil {
		return false, err
	}
	flags := req.Uint16()
	if flags&unix.IFF_UP != 0 == up {
		return false, nil
	}
	req.SetUint16(flags ^ unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req); err != nil {
		return false, err
	}
	return true, nil
}

// Write sends one IP packet.
func (t *TUN) Write(packet []byte) (int, error) {
	for {
		n, err := unix.Write(t.fd, packet)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", t.name, err)
		}
		return n, nil
	}
}

// Close closes the device. One that OpenTUN made is gone then; one that was there
// and down is down again. It may be called again, to no effect.
func (t *TUN) Close() error {
	if t.fd < 0 {
		return nil
	}
	var down error
	if t.raised {
		if _, err := t.set(false); err != nil && !errors.Is(err, unix.ENODEV) {
			down = fmt.Errorf("%s: bringing it down: %w", t.name, err)
		}
	}
	err := unix.Close(t.fd)
	t.fd = -1
	return errors.Join(down, err)
}
