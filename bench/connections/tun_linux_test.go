package connections

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownNetwork moves the test into a network namespace of its own, which ends with
// its thread.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace of its own: %v", err)
	}
}

func TestPacketsComeInThroughATUNDevice(t *testing.T) {
	ownNetwork(t)
	tun, err := OpenTUN("conn0")
	if err != nil {
		t.Skipf("no TUN device: %v", err)
	}
	defer tun.Close()
	_, err = OpenTUN("conn0")
	require.ErrorContains(t, err, "conn0: another program has it open")

	device, err := net.InterfaceByName("conn0")
	require.NoError(t, err)
	require.NotZero(t, device.Flags&net.FlagUp)
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	require.NoError(t, err)
	defer unix.Close(s)
	require.NoError(t, unix.Bind(s, &unix.SockaddrLinklayer{Protocol: all, Ifindex: device.Index}))
	require.NoError(t, unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}))

	config := Config{Count: 30, Rate: 1e4, Profiles: []Weighted{{rough(ready(t, "dns")), 1}, {rough(ready(t, "http")), 1}}}
	g := run(t, config)
	sent := int64(0)
	buf := make([]byte, 65536)
	require.NoError(t, g.Play(context.Background(), writer(func(b []byte) {
		_, err := tun.Write(b)
		require.NoError(t, err)
		for { // until it has come; the system says things of its own as well
			n, from, err := unix.Recvfrom(s, buf, 0)
			require.NoError(t, err)
			if from.(*unix.SockaddrLinklayer).Pkttype != unix.PACKET_OUTGOING {
				require.Equal(t, b, buf[:n])
				break
			}
		}
		sent++
	}), 0, nil))
	require.Positive(t, sent)
	require.Equal(t, g.Stats().Packets, sent)
}

// persistent makes a TUN device that stays when it is closed.
func persistent(t *testing.T, name string) {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no TUN device: %v", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	require.NoError(t, err)
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Skipf("no TUN device: %v", err)
	}
	require.NoError(t, unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1))
}

func isUp(t *testing.T, name string) bool {
	t.Helper()
	device, err := net.InterfaceByName(name)
	require.NoError(t, err)
	return device.Flags&net.FlagUp != 0
}

func TestADeviceIsAfterwardsAsItWasBefore(t *testing.T) {
	ownNetwork(t)
	persistent(t, "conn1")
	require.False(t, isUp(t, "conn1"))
	tun, err := OpenTUN("conn1")
	require.NoError(t, err)
	require.True(t, isUp(t, "conn1"))
	require.NoError(t, tun.Close())
	require.NoError(t, tun.Close(), "again")
	require.False(t, isUp(t, "conn1"), "down, as it was")

	_, err = (&TUN{fd: -1, name: "conn1"}).set(true)
	require.NoError(t, err)
	tun, err = OpenTUN("conn1")
	require.NoError(t, err)
	require.NoError(t, tun.Close())
	require.True(t, isUp(t, "conn1"), "up, as it was")

	tun, err = OpenTUN("conn2")
	require.NoError(t, err)
	require.True(t, isUp(t, "conn2"))
	require.NoError(t, tun.Close())
	_, err = net.InterfaceByName("conn2")
	require.Error(t, err, "gone, as it was")
}

func TestANameThatIsNoneForADeviceIsRefused(t *testing.T) {
	ownNetwork(t)
	_, err := OpenTUN("")
	require.ErrorContains(t, err, `"" is no name of an interface`)
	_, err = OpenTUN("a-name-that-is-too-long")
	require.ErrorContains(t, err, "1 to 15 bytes")
	if _, err = OpenTUN("lo"); unix.Geteuid() == 0 {
		require.ErrorContains(t, err, "lo: it is no TUN device")
	}
}

func TestPlayKeepsToTheTimesOfPackets(t *testing.T) {
	p := profile(t, "x: udp, port 9, 10 one way, rtt 0s")
	g := run(t, Config{Count: 50, Rate: 1000, Arrivals: Even}, p)
	var early int
	began := time.Now()
	require.NoError(t, g.Play(context.Background(), writer(func([]byte) {
		if time.Since(began) < g.Stats().Last/2-time.Millisecond {
			early++
		}
	}), 2, nil))
	require.Zero(t, early)
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
