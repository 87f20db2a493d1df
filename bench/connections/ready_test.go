package connections

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run makes a generator that must be possible.
func run(t testing.TB, c Config, profiles ...Profile) *Generator {
	t.Helper()
	for _, p := range profiles {
		c.Profiles = append(c.Profiles, Weighted{p, 1})
	}
	g, err := New(c)
	require.NoError(t, err)
	return g
}

// ready returns a ready profile.
func ready(t testing.TB, name string) Profile {
	t.Helper()
	for _, p := range Ready() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no profile %s", name)
	return Profile{}
}

// profile reads the text of one profile.
func profile(t testing.TB, text string) Profile {
	t.Helper()
	list, err := ParseProfiles(strings.NewReader(text), "test")
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

func TestThereAreTenReadyProfiles(t *testing.T) {
	var names []string
	for _, p := range Ready() {
		names = append(names, p.Name)
		require.NoError(t, p.Validate(), p.Name)
	}
	require.Equal(t, []string{"http", "https", "dns", "ssh", "ntp", "smtp", "bulk", "voip", "scan", "synflood"}, names)
}

// rough is a profile with everything that can go wrong with it.
func rough(p Profile) Profile {
	p.Loss, p.Fragments, p.FragmentSize = 0.05, 0.3, 104
	if p.Proto == TCP {
		p.Reset = 0.2
	}
	return p
}

// few is how many connections of a profile tests make: those of some are long.
func few(p Profile) int64 {
	switch p.Name {
	case "https", "bulk", "voip", "ssh":
		return 20
	}
	return 60
}

// short is a profile with the same steps, and fewer bytes and repetitions.
func short(p Profile) Profile {
	p.Script = slices.Clone(p.Script)
	for i := range p.Script {
		switch s := &p.Script[i]; {
		case s.Kind == Repeat && s.Times.Hi > 5:
			s.Times = Between(2, 5)
		case s.Kind == BothWays:
			s.Pause = Between(uint64(time.Second), uint64(2*time.Second))
		case s.Size.Lo > 100_000:
			s.Size = Quantity{100_000, 100_000, true}
		}
	}
	return p
}

// tshark reads a capture with all checksums checked, and prints of the packets
// that a filter lets through the numbers and what is said about them. Without
// the reassembly of segments out of order it takes retransmissions for errors.
func tshark(t *testing.T, path, filter string) string {
	t.Helper()
	cmd := exec.Command("tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
		"-o", "udp.check_checksum:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", filter, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), complaints.String())
	return out.String()
}

// What tshark must not find: in any run, and in one in which nothing is lost.
const (
	malformed = "_ws.malformed || _ws.short || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || " +
		"icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || _ws.expert.severity == 0x800000 || " +
		"ip.bogus_header_length || ip.fragment.error || ip.fragment.overlap || ipv6.fragment.error || ipv6.fragment.overlap"
	// SYNs of scans and SYN-ACKs of floods are sent again, as nobody answers them.
	suspicious = "(tcp.analysis.flags && !(tcp.flags.syn == 1 && tcp.analysis.retransmission)) || tcp.analysis.lost_segment || " +
		"dns.retransmission || (_ws.expert.severity == 0x600000 && !(tcp.flags.syn == 1) && !(tcp.flags.reset == 1))"
)

func TestTsharkFindsNothingWrongWithReadyProfiles(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	var calm, wild []Weighted
	for _, p := range Ready() {
		calm = append(calm, Weighted{short(p), int(few(p))})
		wild = append(wild, Weighted{rough(short(p)), int(few(p))})
	}
	var errors []Weighted
	list, err := ParseProfiles(strings.NewReader(failing), "failing")
	require.NoError(t, err)
	for _, p := range list {
		errors = append(errors, Weighted{p, 1})
	}
	for _, v6 := range []bool{false, true} {
		for _, kind := range []struct {
			name     string
			profiles []Weighted
		}{{"calm", calm}, {"rough", wild}, {"errors", errors}} {
			t.Run(fmt.Sprintf("ipv6=%t/%s", v6, kind.name), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "c.pcap")
				f, err := os.Create(path)
				require.NoError(t, err)
				defer f.Close()
				g := run(t, Config{Count: 150, IPv6: v6, Seed: 7, Profiles: kind.profiles})
				require.NoError(t, g.WritePcap(context.Background(), f, Ethernet, time.Unix(0, 0), nil))
				filter := malformed
				switch kind.name {
				case "calm":
					filter += " || " + suspicious
				case "errors": // it takes the cut packet that is quoted for the whole one
					filter = "(" + filter + ") && !(icmp.type == 3 && icmp.code == 4) && !(icmpv6.type == 2)"
				}
				require.Empty(t, tshark(t, path, filter))
			})
		}
	}
}
