//go:build linux

package kernel

// This file: the namespace, its TUN devices and the tools in it.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The devices of the namespaces: packets come in by the first, and where a
// test has routes, go out by the second.
const (
	device  = "hipac0"
	device2 = "hipac1"
)

// enterNamespace moves the test's goroutine to a new network namespace with a
// TUN device, or a TAP device, and returns the device's descriptor. The thread is locked to the
// goroutine and ends with it, and the namespace with the thread; programs that
// the test starts run in the namespace too.
func enterNamespace(t *testing.T, tap bool, tools ...string) int {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root to make a network namespace")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "needs %s", tool)
		}
	}
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		skip(t, "cannot make a network namespace: %v", err)
	}
	return openTUN(t, device, tap)
}

// openTUN makes a TUN device, or a TAP device, in the namespace and returns its
// descriptor.
func openTUN(t *testing.T, name string, tap bool) int {
	t.Helper()
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		skip(t, "cannot open /dev/net/tun: %v", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
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
	require.NoError(t, ioctl(fd, tunSetIff, name, kind|iffNoPI))
	// The kernel speaks IPv6 on a new device unless it has no address there.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/addr_gen_mode", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Logf("%s: %v", name, err)
	}
	up(t, name)
	return fd
}

// up brings a device up.
func up(t *testing.T, name string) {
	t.Helper()
	const iffUp = 0x1
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(s)
	require.NoError(t, ioctl(s, syscall.SIOCSIFFLAGS, name, iffUp))
}

// skip skips the test, or fails it where HIPAC_KERNEL=required says that the
// comparison must not be left out.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("HIPAC_KERNEL") == "required" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
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

// run runs a program in the namespace and returns what it prints.
func run(t *testing.T, input string, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(input, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, input)
	}
	return out
}

// tryRun is run for a program that may fail.
func tryRun(input string, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(input)
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return "", errors.New(err.Error() + "\n" + complaints.String())
	}
	return out.String(), nil
}
