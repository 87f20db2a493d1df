package networkpolicy

// Policies: the spec of a NetworkPolicy, of which every field is known or refused.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
)

// direction is what a rule of a policy is about.
type direction int

const (
	ingress direction = iota
	egress
)

func (d direction) String() string { return [...]string{"ingress", "egress"}[d] }

// policy is a NetworkPolicy.
type policy struct {
	at              place
	namespace, name string
	pods            selector
	applies         [2]bool // by direction: policyTypes
	rules           [2][]policyRule
}

func (p *policy) String() string { return p.namespace + "/" + p.name }

// policyRule is an item of spec.ingress or spec.egress. Without peers it is about
// all addresses, without ports about all packets.
type policyRule struct {
	at    place
	peers []peer
	ports []policyPort
}

// peer is an item of from or to: a block of addresses, or Pods. Pods are those of
// the policy's Namespace when namespaces is nil.
type peer struct {
	at         place
	block      *block
	pods       *selector // nil: all
	namespaces *selector
}

// block is an ipBlock.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// policyPort is an item of ports: a range, or the name of a port.
type policyPort struct {
	at       place
	protocol uint8
	all      bool
	lo, hi   uint16
	name     string
}

// policy reads a NetworkPolicy.
func (r *objectReader) policy(n *yaml.Node, namespace, name string, _ map[string]string) {
	p := &policy{at: placeOf(n), namespace: namespace, name: name}
	failed := r.failed
	var types []string
	r.fields(n, "", func(key string, k, v *yaml.Node) {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
		case "spec":
			r.fields(v, "spec", func(key string, k, v *yaml.Node) {
				switch key {
				case "podSelector":
					p.pods = r.selector(v, "spec.podSelector")
				case "policyTypes":
					types = r.policyTypes(v)
				case "ingress":
					p.rules[ingress] = r.policyRules(v, "spec.ingress", "from")
				case "egress":
					p.rules[egress] = r.policyRules(v, "spec.egress", "to")
				default:
					r.unknown(k, "spec", "podSelector, policyTypes, ingress and egress")
				}
			})
		default:
			r.unknown(k, "", "apiVersion, kind, metadata, spec and status")
		}
	})
	if r.failed > failed {
		return
	}
	if len(types) == 0 {
		p.applies = [2]bool{true, len(p.rules[egress]) > 0}
	} else {
		p.applies = [2]bool{slices.Contains(types, "Ingress"), slices.Contains(types, "Egress")}
	}
	r.c.policies = append(r.c.policies, p)
}

// unknown notes a field that is not known.
func (r *objectReader) unknown(k *yaml.Node, path, known string) {
	r.unmodelled(k, path, "a field that is not known; known are %s", known)
}

func (r *objectReader) policyTypes(n *yaml.Node) []string {
	var out []string
	r.items(n, "spec.policyTypes", func(path string, item *yaml.Node) {
		if item.Kind != yaml.ScalarNode || item.Value != "Ingress" && item.Value != "Egress" {
			r.wrong(item, path, "expected Ingress or Egress")
			return
		}
		out = append(out, item.Value)
	})
	if len(out) > 2 {
		r.wrong(n, "spec.policyTypes", "expected at most two types")
	}
	return out
}

// policyRules reads ingress or egress; the peers are in the field of the given name.
func (r *objectReader) policyRules(n *yaml.Node, path, peers string) []policyRule {
	var out []policyRule
	r.items(n, path, func(path string, item *yaml.Node) {
		rule := policyRule{at: placeOf(item)}
		r.fields(item, path, func(key string, k, v *yaml.Node) {
			switch key {
			case peers:
				r.items(v, path+"."+peers, func(path string, item *yaml.Node) {
					rule.peers = append(rule.peers, r.peer(item, path))
				})
			case "ports":
				r.items(v, path+".ports", func(path string, item *yaml.Node) {
					rule.ports = append(rule.ports, r.policyPort(item, path))
				})
			default:
				r.unknown(k, path, peers+" and ports")
			}
		})
		out = append(out, rule)
	})
	return out
}

func (r *objectReader) peer(n *yaml.Node, path string) peer {
	p := peer{at: placeOf(n)}
	failed := r.failed
	r.fields(n, path, func(key string, k, v *yaml.Node) {
		switch key {
		case "podSelector":
			s := r.selector(v, path+".podSelector")
			p.pods = &s
		case "namespaceSelector":
			s := r.selector(v, path+".namespaceSelector")
			p.namespaces = &s
		case "ipBlock":
			p.block = r.ipBlock(v, path+".ipBlock")
		default:
			r.unknown(k, path, "podSelector, namespaceSelector and ipBlock")
		}
	})
	switch {
	case r.failed > failed:
	case p.block == nil && p.pods == nil && p.namespaces == nil:
		r.wrong(n, path, "expected a podSelector, a namespaceSelector or an ipBlock; for all peers leave out the list")
	case p.block != nil && (p.pods != nil || p.namespaces != nil):
		r.wrong(n, path, "an ipBlock beside a selector: they are two peers")
	}
	return p
}

func (r *objectReader) ipBlock(n *yaml.Node, path string) *block {
	b := &block{}
	var except *yaml.Node
	if !r.fields(n, path, func(key string, k, v *yaml.Node) {
		switch key {
		case "cidr":
			b.cidr = r.cidr(v, path+".cidr")
		case "except":
			except = v
		default:
			r.unknown(k, path, "cidr and except")
		}
	}) {
		return b
	}
	if !b.cidr.IsValid() {
		if field(n, "cidr") == nil {
			r.wrong(n, path, "an ipBlock without cidr")
		}
		return b
	}
	if except != nil {
		r.items(except, path+".except", func(path string, item *yaml.Node) {
			e := r.cidr(item, path)
			if e.IsValid() && (e.Bits() <= b.cidr.Bits() || !b.cidr.Contains(e.Addr())) {
				r.wrong(item, path, "expected a block inside %v, and smaller", b.cidr)
			}
			b.except = append(b.except, e)
		})
	}
	return b
}

// cidr reads a block of addresses. Address bits behind the prefix are ignored, as
// Kubernetes does; it refuses IPv4-mapped IPv6 addresses and leading zeros now.
func (r *objectReader) cidr(n *yaml.Node, path string) netip.Prefix {
	failed := r.failed
	p, err := netip.ParsePrefix(r.text(n, path))
	if r.failed > failed {
		return netip.Prefix{}
	}
	if err != nil || p.Addr().Is4In6() {
		r.wrong(n, path, "expected a block of addresses such as 192.0.2.0/24 or 2001:db8::/32")
		return netip.Prefix{}
	}
	return p.Masked()
}

func (r *objectReader) policyPort(n *yaml.Node, path string) policyPort {
	p := policyPort{at: placeOf(n), protocol: tcp, all: true}
	var end *yaml.Node
	r.fields(n, path, func(key string, k, v *yaml.Node) {
		switch key {
		case "protocol":
			p.protocol = r.protocol(v, path+".protocol")
		case "port":
			p.all = false
			if v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" {
				p.name = r.portName(v, path+".port")
			} else {
				p.lo, _ = r.port(v, path+".port")
				p.hi = p.lo
			}
		case "endPort":
			end = v
		default:
			r.unknown(k, path, "protocol, port and endPort")
		}
	})
	if end == nil {
		return p
	}
	hi, ok := r.port(end, path+".endPort")
	switch {
	case !ok:
	case p.all:
		r.wrong(end, path+".endPort", "an endPort without port")
	case p.lo == 0:
		r.wrong(end, path+".endPort", "an endPort beside the name of a port")
	case hi < p.lo:
		r.wrong(end, path+".endPort", "expected a port that is not below %d", p.lo)
	}
	p.hi = hi
	return p
}

// portName reads the name of a port: up to 15 lower-case letters, digits and single
// dashes, with a letter (RFC 6335).
func (r *objectReader) portName(n *yaml.Node, path string) string {
	failed := r.failed
	name := r.text(n, path)
	if r.failed > failed {
		return ""
	}
	letter, ok := false, name != "" && len(name) <= 15 && name[0] != '-' && name[len(name)-1] != '-' && !strings.Contains(name, "--")
	for _, c := range name {
		letter = letter || c >= 'a' && c <= 'z'
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok || !letter {
		r.wrong(n, path, "expected a port from 1 to 65535, without quotes, or the name of a container's port: up to 15 lower-case letters, digits and dashes")
		return ""
	}
	return name
}

// selector is a label selector: all requirements must hold.
type selector struct {
	requirements []requirement
}

type requirement struct {
	at       place
	key      string
	operator string // In, NotIn, Exists, DoesNotExist
	values   []string
}

// selector reads a label selector.
func (r *objectReader) selector(n *yaml.Node, path string) selector {
	var s selector
	r.fields(n, path, func(key string, k, v *yaml.Node) {
		switch key {
		case "matchLabels":
			at := path + ".matchLabels"
			r.pairs(v, at, func(k, v *yaml.Node) {
				s.requirements = append(s.requirements, requirement{placeOf(k), r.text(k, at), "In", []string{r.text(v, at)}})
			})
		case "matchExpressions":
			r.items(v, path+".matchExpressions", func(path string, item *yaml.Node) {
				s.requirements = append(s.requirements, r.requirement(item, path))
			})
		default:
			r.unknown(k, path, "matchLabels and matchExpressions")
		}
	})
	return s
}

func (r *objectReader) requirement(n *yaml.Node, path string) requirement {
	q := requirement{at: placeOf(n)}
	failed := r.failed
	r.fields(n, path, func(key string, k, v *yaml.Node) {
		switch key {
		case "key":
			q.key = r.text(v, path+".key")
		case "operator":
			q.operator = r.text(v, path+".operator")
		case "values":
			q.values = r.texts(v, path+".values")
		default:
			r.unknown(k, path, "key, operator and values")
		}
	})
	if r.failed > failed {
		return q
	}
	switch q.operator {
	case "In", "NotIn":
		if len(q.values) == 0 {
			r.wrong(n, path, "the operator %s without values", q.operator)
		}
	case "Exists", "DoesNotExist":
		if len(q.values) > 0 {
			r.wrong(n, path, "the operator %s with values", q.operator)
		}
	default:
		r.wrong(n, path, "expected the operator In, NotIn, Exists or DoesNotExist")
	}
	if q.key == "" {
		r.wrong(n, path, "expected a key")
	}
	return q
}

// holds reports whether labels meet the requirement.
func (q *requirement) holds(labels map[string]string) bool {
	v, has := labels[q.key]
	switch q.operator {
	case "In":
		return has && slices.Contains(q.values, v)
	case "NotIn":
		return !has || !slices.Contains(q.values, v)
	case "Exists":
		return has
	}
	return !has
}

// matches reports whether labels meet all requirements.
func (s *selector) matches(labels map[string]string) bool {
	for i := range s.requirements {
		if !s.requirements[i].holds(labels) {
			return false
		}
	}
	return true
}

// cost is how many comparisons matches makes at most.
func (s *selector) cost() int64 {
	n := int64(1)
	for i := range s.requirements {
		n += 1 + int64(len(s.requirements[i].values))
	}
	return n
}

// text is the same for selectors that are written the same.
func (s *selector) text() string {
	var b strings.Builder
	for _, q := range s.requirements {
		fmt.Fprintf(&b, "%q %s %q;", q.key, q.operator, q.values)
	}
	return b.String()
}

// intervals returns the addresses of a block, as values of a field of kind IP. In
// such a field IPv4 addresses are IPv6 ones that are IPv4-mapped; no block of IPv6
// addresses is about those.
func (b *block) intervals() []rules.Interval {
	out := []rules.Interval{prefixInterval(b.cidr)}
	var holes []rules.Interval
	for _, e := range b.except {
		holes = append(holes, prefixInterval(e))
	}
	if b.cidr.Addr().Is6() {
		holes = append(holes, prefixInterval(netip.MustParsePrefix("0.0.0.0/0")))
	}
	hole := rules.In(0, holes...)
	if holes, _ = hole.Intervals(); len(holes) == 0 {
		return out
	}
	return intersect(out, rules.Complement(&rules.Field{Bits: 128}, holes))
}

// prefixInterval returns the addresses of a prefix, as values of kind IP.
func prefixInterval(p netip.Prefix) rules.Interval {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return rules.PrefixInterval(rules.Addr16(p.Addr()), bits, 128)
}

// intersect returns what two ascending lists of intervals have in common.
func intersect(a, b []rules.Interval) []rules.Interval {
	var out []rules.Interval
	for i, j := 0, 0; i < len(a) && j < len(b); {
		lo, hi := a[i].Lo, a[i].Hi
		if lo.Less(b[j].Lo) {
			lo = b[j].Lo
		}
		if b[j].Hi.Less(hi) {
			hi = b[j].Hi
		}
		if !hi.Less(lo) {
			out = append(out, rules.Interval{Lo: lo, Hi: hi})
		}
		if a[i].Hi.Less(b[j].Hi) {
			i++
		} else {
			j++
		}
	}
	return out
}
