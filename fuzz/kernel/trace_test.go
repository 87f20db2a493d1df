//go:build linux

package kernel

// TRACE: what the kernel logs of packets on their way through random chains is
// what "hipac trace --output kernel" prints. In a namespace the kernel's own log
// is closed, so that its lines are taken from nfnetlink_log, which has the part
// in front of the packet's description: table, chain, what, number. Most kernels
// take them for group 0 of NFLOG once nf_log says so.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

// traceLog listens to group 0 of NFLOG.
type traceLog struct{ fd int }

// Numbers of linux/netfilter/nfnetlink_log.h.
const (
	logConfig    = 4<<8 | 1
	logPacket    = 4 << 8
	configCmd    = 1
	configMode   = 2
	configThresh = 5
	prefixAttr   = 10
)

func listenToTrace(t *testing.T, family int) *traceLog {
	t.Helper()
	proto := map[int]string{4: "2", 6: "10"}[family]
	if err := os.WriteFile("/proc/sys/net/netfilter/nf_log/"+proto, []byte("nfnetlink_log"), 0); err != nil {
		skip(t, "cannot choose nfnetlink_log: %v", err)
	}
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 12)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 1<<22))
	l := &traceLog{fd}
	l.configure(t, configCmd, []byte{1})                                // bind
	l.configure(t, configMode, []byte{0, 0, 0, 0, 1, 0})                // no copies of packets
	l.configure(t, configThresh, binary.BigEndian.AppendUint32(nil, 1)) // each at once
	return l
}

func (l *traceLog) configure(t *testing.T, kind uint16, value []byte) {
	t.Helper()
	body := []byte{syscall.AF_UNSPEC, 0, 0, 0}
	body = binary.NativeEndian.AppendUint16(body, uint16(4+len(value)))
	body = binary.NativeEndian.AppendUint16(body, kind)
	body = append(body, value...)
	body = append(body, make([]byte, -len(body)&3)...)
	m := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	m = binary.NativeEndian.AppendUint16(m, logConfig)
	m = binary.NativeEndian.AppendUint16(m, 1|4) // request, acknowledge
	m = append(m, make([]byte, 8)...)
	require.NoError(t, syscall.Sendto(l.fd, append(m, body...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}))
	buf := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(l.fd, buf, 0)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 20)
	require.Zero(t, int32(binary.NativeEndian.Uint32(buf[16:])), "nfnetlink_log takes its configuration")
}

// lines returns what has been logged since.
func (l *traceLog) lines(t *testing.T) (out []string) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		n, _, err := syscall.Recvfrom(l.fd, buf, 0)
		if errors.Is(err, syscall.EAGAIN) {
			return out
		}
		require.NoError(t, err)
		for b := buf[:n]; len(b) >= 16; {
			size := int(binary.NativeEndian.Uint32(b))
			if binary.NativeEndian.Uint16(b[4:]) == logPacket {
				for a := b[20:size]; len(a) >= 4; {
					k, kind := int(binary.NativeEndian.Uint16(a)), binary.NativeEndian.Uint16(a[2:])
					if kind == prefixAttr {
						out = append(out, strings.TrimRight(string(a[4:k]), "\x00 "))
					}
					a = a[min(len(a), (k+3)&^3):]
				}
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}

var packetTypes = regexp.MustCompile(`-m pkttype (! )?--pkt-type \w+`)

func TestTraceLinesAreTheKernels(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		skip(t, "needs the go command, to build hipac")
	}
	if os.Getuid() != 0 {
		skip(t, "needs root to make a network namespace")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "hipac")
	out, err := exec.Command("go", "build", "-o", program, "../../hipac/cmd/hipac").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			w := newWorld(t, family)
			log := listenToTrace(t, family)
			total := 0
			for i := range uint64(max(2, *sets/8)) {
				g := &generator{rand.New(rand.NewPCG(*seed+i, uint64(200+family))), family}
				text := strings.Replace(g.program(), "-A PREROUTING", "-A PREROUTING -j TRACE\n-A PREROUTING", 1)
				text = packetTypes.ReplaceAllString(text, "-m length --length 0:65535") // captures of bare packets do not have it
				text = strings.ReplaceAll(text, "-j NFLOG --nflog-group 5", "-j MARK --set-xmark 0x1/0x3")
				run(t, text, w.tool()+"-restore")
				rules, packets := filepath.Join(dir, "rules"), filepath.Join(dir, "packets.pcap")
				require.NoError(t, os.WriteFile(rules, []byte(text), 0o644))
				f, err := os.Create(packets)
				require.NoError(t, err)
				var want []string
				var sent [][]byte
				for range 60 {
					var p packet.Packet
					g.packet(&p)
					raw := p.AppendIP(nil)
					sent = append(sent, raw)
					w.send(t, &shot{raw: raw})
					want = append(want, log.lines(t)...)
				}
				require.NoError(t, capture.WritePcap(f, packet.LinkRaw, func(yield func(time.Time, []byte) bool) {
					for _, raw := range sent {
						if !yield(time.Time{}, raw) {
							return
						}
					}
				}))
				require.NoError(t, f.Close())
				args := []string{"trace", "--rules", rules, "--family", fmt.Sprint(family), "--packets", packets, "--table", "raw", "--chain", "PREROUTING",
					"--in-interface", device, "--output", "kernel"}
				printed, err := tryRun("", program, args...)
				require.NoError(t, err, strings.Join(args, " "))
				var got []string
				for _, line := range strings.Split(printed, "\n") {
					// The kernel begins to log behind the rule that says so.
					if prefix, _, ok := strings.Cut(line, " IN="); ok && prefix != "TRACE: raw:PREROUTING:rule:1" {
						got = append(got, prefix)
					}
				}
				require.NotEmpty(t, want, "the kernel logs something")
				for k := range min(len(got), len(want)) {
					require.Equal(t, want[k], got[k], "line %d of seed %d\n%s", k+1, *seed+i, text)
				}
				require.Len(t, got, len(want))
				total += len(want)
			}
			t.Logf("%d lines", total)
		})
	}
}
