// Package nebula has the firewall of Nebula: maps by protocol and by local port
// that lead to tries of remote prefixes, each with a trie of local ones. A range
// of ports has an entry for each of them.
package nebula

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/netip"
	"time"
	_ "unsafe" // for linkname

	"github.com/sirupsen/logrus"
	"github.com/slackhq/nebula"
	"github.com/slackhq/nebula/cert"
	"github.com/slackhq/nebula/firewall"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/tuple"
	"github.com/hipac-go/classifier/bench/peers/internal/version"
	"github.com/hipac-go/classifier/rules"
)

// match is what Firewall.Drop asks the rules of one direction, for the first
// packet of a connection. Drop itself cannot be called from outside: it takes
// the state of a handshake that the package keeps to itself. It also remembers
// the connection, so that later packets would not be asked about.
//
//go:linkname match github.com/slackhq/nebula.(*FirewallTable).match
func match(t *nebula.FirewallTable, p firewall.Packet, incoming bool, c *cert.CachedCertificate, pool *cert.CAPool) bool

// Maker returns the maker of such firewalls.
func Maker() *compare.Maker {
	return &compare.Maker{
		Name: "nebula", Title: "Nebula's firewall",
		Source: "github.com/slackhq/nebula " + version.Of("github.com/slackhq/nebula"),
		Note: "FirewallTable.match of incoming packets, which Firewall.Drop asks for the first packet of a connection; its connection " +
			"table is left out. Its rules only allow: it tells whether some rule matches, a last rule without conditions aside. It has no " +
			"source ports, and TCP, UDP, ICMP or any protocol.",
		VerdictOnly: true,
		Make:        makeEngine,
	}
}

// What a port of a protocol takes, and a rule at each of its ports: with these the
// heap's growth was foretold within a sixth in acl1 sets of 100 to 3,000 rules,
// which come to 33,000 to 275,000 rules at 17,000 ports.
const (
	portBytes = 600
	ruleBytes = 350
)

type engine struct {
	list    *tuple.List
	fw      *nebula.Firewall
	cert    *cert.CachedCertificate
	pool    *cert.CAPool
	packets []firewall.Packet
}

func makeEngine(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
	t, err := tuple.Read(l)
	if err != nil {
		return nil, err
	}
	e := &engine{list: t, pool: cert.NewCAPool()}
	if err := e.start(); err != nil {
		return nil, err
	}
	ports := map[portOf]bool{}
	var taken int64
	for i := range t.Rules {
		r := &t.Rules[i]
		if compare.Rest(l, r.Position) {
			continue
		}
		if err := expressible(r, t.IPv6); err != nil {
			return nil, fmt.Errorf("%w: rule %d: %w", compare.ErrUnsupported, r.Position+1, err)
		}
		first, last := int32(r.Dport.First), int32(r.Dport.Last)
		if r.Dport.All() {
			first, last = firewall.PortAny, firewall.PortAny
		}
		for p := first; p <= last; p++ {
			ports[portOf{r.Proto & r.ProtoMask, uint16(p)}] = true
		}
		if taken += ruleBytes * int64(last-first+1); bytes > 0 && taken+portBytes*int64(len(ports)) > bytes {
			return nil, fmt.Errorf("%w: up to rule %d there are %d ports, which take more than %d bytes", compare.ErrMemory, r.Position+1, len(ports), bytes)
		}
		if err := e.fw.AddRule(true, r.Proto&r.ProtoMask, first, last, nil, "", prefix(r.Src), prefix(r.Dst), "", ""); err != nil {
			return nil, fmt.Errorf("rule %d: %w", r.Position+1, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

type portOf struct {
	proto uint8
	port  uint16
}

// expressible says why the firewall has no way to say a rule, or nil.
func expressible(r *tuple.Rule, ipv6 bool) error {
	icmp := uint8(firewall.ProtoICMP)
	if ipv6 {
		icmp = firewall.ProtoICMPv6
	}
	switch {
	case !r.Sport.All():
		return fmt.Errorf("it asks for a source port")
	case r.ProtoMask != 0 && r.ProtoMask != 0xff:
		return fmt.Errorf("it asks for protocols by a mask")
	case r.ProtoMask == 0xff && r.Proto != firewall.ProtoTCP && r.Proto != firewall.ProtoUDP && r.Proto != icmp:
		return fmt.Errorf("it asks for protocol %d", r.Proto)
	case !r.Dport.All() && r.Dport.First == 0:
		return fmt.Errorf("it asks for port 0, which stands for any")
	}
	return nil
}

// prefix writes a prefix for AddRule.
func prefix(p netip.Prefix) string {
	if p.Bits() == 0 {
		return "any"
	}
	return p.String()
}

// start makes a firewall and the certificate of a peer.
func (e *engine) start() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	now := time.Now()
	sign := func(name string, ca bool, signer cert.Certificate) (cert.Certificate, error) {
		c := &cert.TBSCertificate{Version: cert.Version2, Name: name, IsCA: ca, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			PublicKey: public, Curve: cert.Curve_CURVE25519}
		if !ca {
			c.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}
		}
		return c.Sign(signer, cert.Curve_CURVE25519, private)
	}
	ca, err := sign("ca", true, nil)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	if err := e.pool.AddCA(ca); err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	host, err := sign("host", false, ca)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	if e.cert, err = e.pool.VerifyCertificate(now, host); err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetLevel(logrus.ErrorLevel)
	e.fw = nebula.NewFirewall(log, time.Minute, time.Minute, time.Minute, host)
	return nil
}

// CanAsk reports whether the packet has all fields; the ICMP of the other address
// family is the same protocol to the firewall.
func (e *engine) CanAsk(k rules.Key) bool {
	other := uint8(firewall.ProtoICMPv6)
	if e.list.IPv6 {
		other = firewall.ProtoICMP
	}
	return e.list.Whole(k) && e.list.Proto(k) != other
}

// Prepare makes packets as the firewall takes them.
func (e *engine) Prepare(keys []uint32) error {
	e.packets = make([]firewall.Packet, e.list.Len(keys))
	for i := range e.packets {
		p := e.list.Packet(e.list.At(keys, i))
		e.packets[i] = firewall.Packet{RemoteAddr: p.Src, LocalAddr: p.Dst, RemotePort: p.Sport, LocalPort: p.Dport, Protocol: p.Proto}
	}
	return nil
}

func (e *engine) FirstPrepared(from int, out []int32) {
	for i := range out {
		if match(e.fw.InRules, e.packets[from+i], true, e.cert, e.pool) {
			out[i] = 0
		} else {
			out[i] = -1
		}
	}
}

func (e *engine) First([]uint32, []int32) {} // FirstPrepared is asked instead

func (e *engine) Bytes() int64 { return 0 } // the heap's growth tells

func (e *engine) Close() {}
