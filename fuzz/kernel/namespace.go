//go:build linux

package kernel

// This file: the namespace, its TUN devices and the tools in it. All of it ends
// with the thread, the descriptors and the process: nothing is left behind when
// the process is killed.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// The devices of the namespaces: packets come in by the first, and where a
// test has routes, go out by the second.
const (
	device  = "hipac0"
	device2 = "hipac1"
)

// enter moves the goroutine to a new network namespace. The thread is locked to
// the goroutine and ends with it, and the namespace with the thread; programs
// that the goroutine starts run in the namespace too.
func enter() error {
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace: %w", err)
	}
	return nil
}

// makeTUN makes a TUN device, or a TAP device, in the namespace, brings it up
// and returns its descriptor. The device ends with the descriptor.
func makeTUN(name string, tap bool) (int, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	const (
		tunSetIff = 0x400454ca
		iffTun    = 0x0001
		iffTap    = 0x0002
		iffNoPI   = 0x1000
	)
	kind := uint16(iffTun)
	if tap {
		kind = iffTap
	}
	if err := ioctl(fd, tunSetIff, name, kind|iffNoPI); err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("making the device %s: %w", name, err)
	}
	// The kernel speaks IPv6 on a new device unless it has no address there.
	err = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/addr_gen_mode", []byte("1"), 0)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = bringUp(name)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bringUp brings a device up.
func bringUp(name string) error {
	const iffUp = 0x1
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	if err := ioctl(s, syscall.SIOCSIFFLAGS, name, iffUp); err != nil {
		return fmt.Errorf("bringing %s up: %w", name, err)
	}
	return nil
}

// ioctl sets the flags of the device.
func ioctl(fd int, request uintptr, name string, flags uint16) error {
	var ifreq [40]byte
	copy(ifreq[:15], name)
	binary.NativeEndian.PutUint16(ifreq[16:], flags)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&ifreq[0])))
	if errno != 0 {
		return errno
	}
	return nil
}

// runTool runs a program in the namespace and returns what it prints. The
// program is killed when the context, or the calling thread, ends.
func runTool(ctx context.Context, input string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.WaitDelay = time.Second
	c.Stdin = strings.NewReader(input)
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, complaints.String())
	}
	return out.String(), nil
}
