package workload

// kube-proxy: the chains that Kubernetes' service proxy makes in its iptables
// mode. A packet to a service's address is looked for in KUBE-SERVICES, a list
// with one rule for each port of each service; the chain KUBE-SVC of the port
// then draws one of its endpoints, whose chain KUBE-SEP translates the address:
//
//	PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-SVC-... -> KUBE-SEP-... DNAT
//	                      last rule: addresses of this machine -> KUBE-NODEPORTS
//	                                 -> KUBE-EXT-... -> KUBE-SVC-...
//	POSTROUTING -> KUBE-POSTROUTING: MASQUERADE of marked packets
//
// The names of chains, the order of rules, the marks and the comments are as in
// Kubernetes 1.3x (documented in its source, pkg/proxy/iptables, and visible in
// any cluster by iptables-save -t nat); services and addresses are made up.

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// kubeLeast is the size of the smallest set: one service of one endpoint.
const kubeLeast = 13

// kubeMost is the size of the largest: a set has a chain for every 2.8 rules,
// and a table that is read may have rules.DefaultLimits.MaxChains of them.
const kubeMost = 700_000

// Cluster networks, of services and of pods.
const (
	kubeServices4, kubePods4 = "10.96.0.0/12", "10.128.0.0/9"
	kubeServices6, kubePods6 = "fd00:10:96::/108", "fd00:10:128::/48"
)

// kubePort is one port of a service.
type kubePort struct {
	name      string // namespace/service:port
	proto     string
	address   netip.Addr
	port      int
	nodePort  int // 0: none
	endpoints []netip.AddrPort
}

// rules is how many rules the port takes.
func (p *kubePort) rules() int {
	n := 2 + 3*len(p.endpoints)
	if p.nodePort > 0 {
		n += 3
	}
	return n
}

// endpointCounts are those of services, as often as they come here: most have
// one to three.
var endpointCounts = []int{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6, 8, 10}

var (
	kubeWords      = strings.Fields("api auth cart catalog checkout billing search index media mail queue worker cache session report export import sync proxy gateway metrics logs events users orders stock price offers review image video chat notify token")
	kubeTiers      = strings.Fields("web db cache internal public admin batch stream canary v2")
	kubeNamespaces = strings.Fields("default shop payments platform monitoring data ml staging tools edge")
	kubePorts      = []struct {
		name, proto string
		port        int
	}{{"http", "tcp", 80}, {"http", "tcp", 80}, {"https", "tcp", 443}, {"grpc", "tcp", 9000}, {"metrics", "tcp", 9090}, {"postgres", "tcp", 5432}, {"redis", "tcp", 6379}, {"dns", "udp", 53}, {"syslog", "udp", 514}}
)

// kubeProxy returns the text of iptables-save for a cluster of about c.Rules
// rules, not more, and their number. The first service is the cluster's DNS.
func kubeProxy(c Config) (text []byte, n int) {
	k := kube{r: newRNG(c.Seed, "kube-proxy"), six: c.IPv6, used: map[netip.Addr]bool{}, nodePorts: map[int]bool{}, lines: map[string][]byte{}}
	const fixed = 8 // rules that are always there
	var ports []kubePort
	for n = fixed; n < c.Rules; {
		p := k.port(len(ports))
		if room := c.Rules - n; p.rules() > room {
			// The last one is as large as there is room for.
			p.nodePort = 0
			if room < 5 {
				break
			}
			p.endpoints = p.endpoints[:min(len(p.endpoints), (room-2)/3)]
		}
		n += p.rules()
		ports = append(ports, p)
	}
	return k.text(ports), n
}

type kube struct {
	r         rng
	six       bool
	used      map[netip.Addr]bool // of services and pods
	nodePorts map[int]bool
	lines     map[string][]byte // by chain
}

func (k *kube) network(four, six string) netip.Prefix {
	if k.six {
		return netip.MustParsePrefix(six)
	}
	return netip.MustParsePrefix(four)
}

// address draws an unused address of the network.
func (k *kube) address(in netip.Prefix) netip.Addr {
	for {
		b := in.Addr().As16()
		x := k.r.Uint64()
		host := in.Addr().BitLen() - in.Bits() // at most 64 random bits
		if host > 24 {
			host = 24
		}
		for i := 15; host > 0; i, host, x = i-1, host-8, x>>8 {
			b[i] |= byte(x) & (1<<min(8, host) - 1)
		}
		a := netip.AddrFrom16(b)
		if !k.six {
			a = a.Unmap()
		}
		if a != in.Addr() && !k.used[a] {
			k.used[a] = true
			return a
		}
	}
}

// port draws the i-th port of a service.
func (k *kube) port(i int) kubePort {
	services, pods := k.network(kubeServices4, kubeServices6), k.network(kubePods4, kubePods6)
	kind := kubePorts[k.r.IntN(len(kubePorts))]
	pick := func(list []string) string { return list[k.r.IntN(len(list))] }
	name := fmt.Sprintf("%s/%s-%s-%d:%s", pick(kubeNamespaces), pick(kubeWords), pick(kubeTiers), i, kind.name)
	count := endpointCounts[k.r.IntN(len(endpointCounts))]
	if i == 0 {
		kind.proto, kind.port, name, count = "udp", 53, "kube-system/kube-dns:dns", 2
	}
	p := kubePort{name: name, proto: kind.proto, port: kind.port, address: k.address(services)}
	if k.r.chance(10) && i > 0 && len(k.nodePorts) < 2700 {
		for p.nodePort == 0 || k.nodePorts[p.nodePort] {
			p.nodePort = 30000 + k.r.IntN(2768)
		}
		k.nodePorts[p.nodePort] = true
	}
	target := kind.port
	if target < 1024 && k.r.IntN(2) == 0 {
		target += 8000
	}
	for range count {
		p.endpoints = append(p.endpoints, netip.AddrPortFrom(k.address(pods), uint16(target)))
	}
	return p
}

// kubeChain returns the name of a chain: a prefix and 80 bits of a hash in
// base 32, as long as names may be.
func kubeChain(prefix string, of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "")))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:16]
}

// rule appends a rule to a chain.
func (k *kube) rule(chain, format string, args ...any) {
	k.lines[chain] = fmt.Appendf(append(append(k.lines[chain], "-A "...), chain+" "...), format+"\n", args...)
}

func (k *kube) text(ports []kubePort) []byte {
	host, tool := 32, "iptables-save"
	if k.six {
		host, tool = 128, "ip6tables-save"
	}
	pods := k.network(kubePods4, kubePods6)
	var ends [][]string // names of the endpoints' chains
	chains := []string{"KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES"}
	svc, ext := make([]string, len(ports)), make([]string, len(ports))
	for i := range ports {
		p := &ports[i]
		svc[i], ext[i] = kubeChain("KUBE-SVC-", p.name, p.proto), kubeChain("KUBE-EXT-", p.name, p.proto)
		chains = append(chains, svc[i])
		if p.nodePort > 0 {
			chains = append(chains, ext[i])
		}
		var names []string
		for _, e := range p.endpoints {
			names = append(names, kubeChain("KUBE-SEP-", p.name, p.proto, e.String()))
		}
		ends, chains = append(ends, names), append(chains, names...)
	}
	for _, hook := range []string{"PREROUTING", "OUTPUT"} {
		k.rule(hook, `-m comment --comment "kubernetes service portals" -j KUBE-SERVICES`)
	}
	k.rule("POSTROUTING", `-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING`)
	for i := range ports {
		if p := &ports[i]; p.nodePort > 0 {
			k.rule(ext[i], `-m comment --comment "masquerade traffic for %s external destinations" -j KUBE-MARK-MASQ`, p.name)
			k.rule(ext[i], "-j %s", svc[i])
		}
	}
	k.rule("KUBE-MARK-MASQ", "-j MARK --set-xmark 0x4000/0x4000")
	for i := range ports {
		if p := &ports[i]; p.nodePort > 0 {
			k.rule("KUBE-NODEPORTS", `-p %s -m comment --comment "%s" -m %[1]s --dport %[3]d -j %[4]s`, p.proto, p.name, p.nodePort, ext[i])
		}
	}
	k.rule("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN")
	k.rule("KUBE-POSTROUTING", "-j MARK --set-xmark 0x4000/0x0")
	k.rule("KUBE-POSTROUTING", `-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully`)
	for i := range ports {
		p := &ports[i]
		for j, e := range p.endpoints {
			k.rule(ends[i][j], `-s %s/%d -m comment --comment "%s" -j KUBE-MARK-MASQ`, e.Addr(), host, p.name)
			k.rule(ends[i][j], `-p %s -m comment --comment "%s" -m %[1]s -j DNAT --to-destination %[3]s`, p.proto, p.name, e)
		}
	}
	for i := range ports {
		p := &ports[i]
		k.rule("KUBE-SERVICES", `-d %s/%d -p %s -m comment --comment "%s cluster IP" -m %[3]s --dport %[5]d -j %[6]s`,
			p.address, host, p.proto, p.name, p.port, svc[i])
	}
	k.rule("KUBE-SERVICES", `-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`)
	for i := range ports {
		p := &ports[i]
		k.rule(svc[i], `! -s %s -d %s/%d -p %s -m comment --comment "%s cluster IP" -m %[4]s --dport %[6]d -j KUBE-MARK-MASQ`,
			pods, p.address, host, p.proto, p.name, p.port)
		for j, e := range p.endpoints {
			draw := ""
			if left := len(p.endpoints) - j; left > 1 {
				// The kernel keeps the probability in 2^-31.
				draw = fmt.Sprintf(" -m statistic --mode random --probability %.11f", float64((int64(1)<<31+int64(left)/2)/int64(left))/(1<<31))
			}
			k.rule(svc[i], `-m comment --comment "%s -> %s"%s -j %s`, p.name, e, draw, ends[i][j])
		}
	}
	// As iptables-save prints it: chains by name, the built-in ones first.
	slices.Sort(chains)
	hooks := []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}
	out := fmt.Appendf(nil, "# Written by bench as by %s\n*nat\n", tool)
	for _, name := range hooks {
		out = fmt.Appendf(out, ":%s ACCEPT [0:0]\n", name)
	}
	for _, name := range chains {
		out = fmt.Appendf(out, ":%s - [0:0]\n", name)
	}
	for _, name := range append(hooks, chains...) {
		out = append(out, k.lines[name]...)
	}
	return append(out, "COMMIT\n"...)
}
