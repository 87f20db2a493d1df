package networkpolicy

// Lists: the rules that come of policies. One rule for a rule of a policy and a set
// of ports, whatever the number of Pods: their addresses are one condition.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// maxWork is how many steps a list may cost, comparisons of labels and addresses
// put in order: some seconds. 550 policies for 10,000 Pods take a twentieth of it.
const maxWork = 1 << 26

var (
	fieldSrc   = rules.IPTuple.MustIndex("src")
	fieldDst   = rules.IPTuple.MustIndex("dst")
	fieldDport = rules.IPTuple.MustIndex("dport")
	fieldProto = rules.IPTuple.MustIndex("proto")
)

// maker makes one list.
type maker struct {
	c       *Cluster
	way     direction
	only    *pod // the list is about this Pod alone; nil: about all
	report  *walker
	b       *rules.Builder[string]
	lines   []int // of the rules
	stopped bool  // by a limit
	work    int64 // comparisons
	memory  int64 // of what is kept beside the list

	isolated map[*pod][]int32            // by which policies, ascending
	selected map[string][]*pod           // by Namespace and selector
	ranges   map[string][]rules.Interval // of addresses, by the text of what has them
	unknown  map[place]bool              // requirements that have been reported
}

func newMaker(c *Cluster, way direction, only *pod) *maker {
	m := &maker{c: c, way: way, only: only, b: rules.NewBuilder[string](rules.IPTuple), isolated: map[*pod][]int32{},
		selected: map[string][]*pod{}, ranges: map[string][]rules.Interval{}, unknown: map[place]bool{}}
	m.b.SetLimits(c.limits)
	m.b.Own()
	return m
}

// subject and other are the fields of the selected Pods and of their peers.
func (m *maker) subject() int { return [...]int{fieldDst, fieldSrc}[m.way] }
func (m *maker) other() int   { return [...]int{fieldSrc, fieldDst}[m.way] }

// list makes the list.
func (m *maker) list(name string) *List {
	for i, p := range m.c.policies {
		if p.applies[m.way] && !m.stopped {
			m.policy(i, p)
		}
	}
	m.exceptions()
	m.denials()
	m.add(place{}, "ACCEPT", fmt.Sprintf("not isolated for %v", m.way))
	return &List{name, m.b.List(), m.lines}
}

// add adds a rule.
func (m *maker) add(at place, value, comment string, conds ...rules.Cond) {
	if m.stopped {
		return
	}
	for i := range conds {
		if ivs, _ := conds[i].Intervals(); len(ivs) > m.c.limits.MaxElements {
			m.stop(at, fmt.Sprintf("%d ranges of addresses or ports in one condition, at most %d", len(ivs), m.c.limits.MaxElements))
			return
		}
	}
	if _, err := m.b.Add(rules.Rule[string]{Conds: conds, Value: value, Comment: comment}); err != nil {
		m.stop(at, fmt.Sprintf("list %v: %v", m.way, err))
		return
	}
	m.lines = append(m.lines, at.line)
}

// stop ends the list at a limit.
func (m *maker) stop(at place, reason string) {
	m.stopped = true
	m.report.fail(at, "", "", reason, rules.ErrLimit)
}

// policy adds the rules of a policy.
func (m *maker) policy(index int, p *policy) {
	m.report.where = "NetworkPolicy " + p.String()
	selected := m.find(p.namespace, &p.pods)
	if m.only != nil {
		if !slices.Contains(selected, m.only) {
			return
		}
		selected = []*pod{m.only}
	}
	if m.keep(p.at, 8*len(selected)) {
		return
	}
	for _, s := range selected {
		m.isolated[s] = append(m.isolated[s], int32(index))
	}
	if len(p.rules[m.way]) == 0 {
		return
	}
	subject := rules.InOrder(m.subject(), m.addresses(selected))
	for i := range p.rules[m.way] {
		rule := &p.rules[m.way][i]
		m.rule(p, rule, subject, selected, fmt.Sprintf("%v %v[%d]", p, m.way, i))
	}
}

// rule adds the rules of one rule of a policy.
func (m *maker) rule(p *policy, r *policyRule, subject rules.Cond, selected []*pod, comment string) {
	conds := []rules.Cond{subject}
	targets := selected // who has the named ports
	if len(r.peers) > 0 {
		ranges, pods := m.peers(p, r)
		conds = append(conds, rules.InOrder(m.other(), ranges))
		if m.way == egress {
			targets = pods
		}
	} else if m.way == egress {
		targets = m.c.pods
	}
	if len(r.ports) == 0 {
		m.add(r.at, "ACCEPT", comment, m.inOrder(conds)...)
		return
	}
	var plain portSets
	var named []policyPort
	for _, port := range r.ports {
		if port.name == "" {
			plain.add(port)
		} else {
			named = append(named, port)
		}
	}
	m.ports(r.at, comment, conds, plain.sets())
	m.named(r, comment, conds, named, targets)
}

// ports adds a rule for each set of ports.
func (m *maker) ports(at place, comment string, conds []rules.Cond, sets []portSet) {
	for _, s := range sets {
		all := append(slices.Clone(conds), rules.In(fieldProto, s.protocols...))
		if !s.all {
			all = append(all, rules.InOrder(fieldDport, s.ports))
		}
		m.add(at, "ACCEPT", comment, m.inOrder(all)...)
	}
}

// named adds the rules of ports that have names: one for all Pods in which the
// names stand for the same numbers.
func (m *maker) named(r *policyRule, comment string, conds []rules.Cond, named []policyPort, targets []*pod) {
	if len(named) == 0 {
		return
	}
	if m.way == egress {
		for _, peer := range r.peers {
			if peer.block != nil {
				m.unclear(named[0].at, named[0].name, "the name of a port beside an ipBlock in egress: whose port it would be is not defined; write its number")
				return
			}
		}
	}
	comment += ", port " + portNames(named)
	groups := map[string][]*pod{}
	sets := map[string][]portSet{}
	var order []string
	for _, target := range targets {
		if m.spend(r.at, 1+int64(len(named))*int64(len(target.ports))) {
			return
		}
		var all portSets
		for _, port := range named {
			number := uint16(0)
			for _, have := range target.ports {
				if have.name != port.name || have.protocol != port.protocol {
					continue
				}
				if number != 0 {
					m.unclear(port.at, port.name, fmt.Sprintf("the name of two ports, %d and %d, of the Pod %v in line %d", number, have.number, target, target.at.line))
					return
				}
				number = have.number
			}
			if number != 0 {
				all.add(policyPort{protocol: port.protocol, lo: number, hi: number})
			}
		}
		text := all.text()
		if text == "" {
			continue
		}
		if groups[text] == nil {
			order = append(order, text)
			sets[text] = all.sets()
		}
		groups[text] = append(groups[text], target)
	}
	if len(order) == 0 {
		none := append(slices.Clone(conds), rules.In(fieldDport))
		m.add(r.at, "ACCEPT", comment+", which no Pod has", m.inOrder(none)...)
		return
	}
	for _, text := range order {
		here := slices.DeleteFunc(slices.Clone(conds), func(c rules.Cond) bool { return c.Field() == fieldDst })
		here = append(here, rules.InOrder(fieldDst, m.addresses(groups[text])))
		m.ports(r.at, comment, here, sets[text])
	}
}

// portNames returns the names of ports for a comment.
func portNames(named []policyPort) string {
	const most = 8
	var names []string
	for _, port := range named {
		if slices.Contains(names, port.name) {
			continue
		}
		if len(names) == most {
			return strings.Join(names, ", ") + " and more"
		}
		names = append(names, port.name)
	}
	return strings.Join(names, ", ")
}

// unclear notes, once, something that is not defined.
func (m *maker) unclear(at place, token, reason string) {
	if !m.unknown[at] {
		m.unknown[at] = true
		m.report.fail(at, "", token, reason, rules.ErrUnsupported)
	}
}

// inOrder returns conditions in the order of their fields.
func (m *maker) inOrder(conds []rules.Cond) []rules.Cond {
	out := slices.Clone(conds)
	slices.SortStableFunc(out, func(a, b rules.Cond) int { return a.Field() - b.Field() })
	return out
}

// peers returns the addresses of the peers of a rule, and those of them that are Pods.
func (m *maker) peers(p *policy, r *policyRule) (ranges []rules.Interval, pods []*pod) {
	var text strings.Builder
	var blocks []rules.Interval
	seen := map[*pod]bool{}
	for i := range r.peers {
		peer := &r.peers[i]
		if peer.block != nil {
			blocks = append(blocks, peer.block.intervals()...)
			fmt.Fprintf(&text, "%v-%v;", peer.block.cidr, peer.block.except)
			continue
		}
		found, of := m.peerPods(p, peer)
		text.WriteString(of)
		if len(r.peers) == 1 {
			pods = found
			break
		}
		for _, x := range found {
			if !seen[x] {
				seen[x] = true
				pods = append(pods, x)
			}
		}
	}
	key := text.String()
	ranges, ok := m.ranges[key]
	if !ok {
		c := rules.In(0, append(blocks, m.addresses(pods)...)...)
		ranges, _ = c.Intervals()
		m.ranges[key] = ranges
	}
	return ranges, pods
}

// peerPods returns the Pods of a peer, and a text that is the same for peers with
// the same.
func (m *maker) peerPods(p *policy, peer *peer) ([]*pod, string) {
	all := &selector{}
	pods := peer.pods
	if pods == nil {
		pods = all
	}
	if peer.namespaces == nil {
		return m.find(p.namespace, pods), fmt.Sprintf("%q %s;", p.namespace, pods.text())
	}
	key := fmt.Sprintf("* %s / %s;", peer.namespaces.text(), pods.text())
	found, ok := m.selected[key]
	if !ok {
		for _, name := range m.c.order {
			if !m.inNamespaces(name, peer.namespaces) {
				continue
			}
			found = append(found, m.find(name, pods)...)
			if m.spend(peer.at, 1) {
				break
			}
		}
		m.selected[key] = found
		m.keep(peer.at, 8*len(found))
	}
	return found, key
}

// inNamespaces reports whether a Namespace is selected. Of one that the file does not
// have, only the label that the control plane sets is known.
func (m *maker) inNamespaces(name string, s *selector) bool {
	n := m.c.namespaces[name]
	m.spend(place{}, s.cost())
	for i := range s.requirements {
		if q := &s.requirements[i]; !n.known && q.key != metadataName {
			m.unclear(q.at, q.key, fmt.Sprintf("a label of Namespaces, and the file has no Namespace %s, in which Pods are: its labels are not known; kubectl get namespaces -o yaml prints them", name))
			return false
		}
	}
	return s.matches(n.labels)
}

// find returns the Pods of a Namespace that a selector selects.
func (m *maker) find(namespace string, s *selector) []*pod {
	key := fmt.Sprintf("%q %s", namespace, s.text())
	found, ok := m.selected[key]
	if !ok {
		for _, x := range m.c.byNamespace[namespace] {
			if m.spend(place{}, s.cost()) {
				break
			}
			if s.matches(x.labels) {
				found = append(found, x)
			}
		}
		m.selected[key] = found
		m.keep(place{}, 8*len(found))
	}
	return found
}

// spend counts work, and reports whether it was too much.
func (m *maker) spend(at place, n int64) bool {
	if m.work += n; m.work > maxWork && !m.stopped {
		m.stop(at, fmt.Sprintf("it takes more than %d comparisons of labels and addresses", maxWork))
	}
	return m.stopped
}

// keep counts memory, and reports whether it was too much.
func (m *maker) keep(at place, bytes int) bool {
	if m.memory += int64(bytes); m.memory > m.c.limits.MaxMemory && !m.stopped {
		m.stop(at, fmt.Sprintf("the Pods that policies select take more than %d bytes of memory", m.c.limits.MaxMemory))
	}
	return m.stopped
}

// addresses returns the addresses of Pods, ascending.
func (m *maker) addresses(pods []*pod) []rules.Interval {
	m.spend(place{}, 4*int64(len(pods)))
	var all []rules.Interval
	for _, p := range pods {
		for _, v := range p.addresses {
			all = append(all, rules.Interval{Lo: v, Hi: v})
		}
	}
	c := rules.In(0, all...)
	out, _ := c.Intervals()
	return out
}

// exceptions adds what no policy can forbid.
func (m *maker) exceptions() {
	m.report.where = ""
	byNode := map[string][]*pod{}
	for _, p := range m.c.pods {
		if m.isolated[p] == nil {
			continue
		}
		own := m.addresses([]*pod{p})
		m.add(p.at, "ACCEPT", fmt.Sprintf("a Pod to itself, always allowed: %v", p),
			rules.InOrder(fieldSrc, own), rules.InOrder(fieldDst, own))
		byNode[p.node] = append(byNode[p.node], p)
	}
	if m.way == egress {
		return
	}
	for _, name := range m.c.nodeNames {
		pods := byNode[name]
		if len(pods) == 0 || name == "" {
			continue
		}
		var node []rules.Interval
		for _, v := range m.c.nodes[name].addresses {
			node = append(node, rules.Interval{Lo: v, Hi: v})
		}
		m.add(place{line: m.c.nodes[name].line}, "ACCEPT", fmt.Sprintf("a Node to its own Pods, always allowed: %s", name),
			rules.In(fieldSrc, node...), rules.InOrder(fieldDst, m.addresses(pods)))
	}
}

// denials adds the rules that drop what nothing allowed: one for all Pods that are
// isolated by the same policies.
func (m *maker) denials() {
	groups := map[string][]*pod{}
	var order []string
	for _, p := range m.c.pods {
		by := m.isolated[p]
		if by == nil {
			continue
		}
		key := fmt.Sprint(by)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], p)
	}
	for _, key := range order {
		pods := groups[key]
		m.add(m.c.policies[m.isolated[pods[0]][0]].at, "DROP", fmt.Sprintf("isolated for %v by %s", m.way, m.names(m.isolated[pods[0]])),
			rules.InOrder(m.subject(), m.addresses(pods)))
	}
}

// names returns the names of policies for a comment.
func (m *maker) names(policies []int32) string {
	const most = 8
	var b strings.Builder
	for i, at := range policies {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(policies)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.c.policies[at].String())
	}
	return b.String()
}

// portSets are ports by protocol.
type portSets struct {
	all    [3]bool
	ranges [3][]rules.Interval
}

var protocols = [3]uint8{tcp, udp, sctp}

func (s *portSets) add(p policyPort) {
	i := slices.Index(protocols[:], p.protocol)
	if p.all {
		s.all[i] = true
	} else {
		s.ranges[i] = append(s.ranges[i], rules.Span(uint64(p.lo), uint64(p.hi)))
	}
}

// portSet is a set of ports that some protocols have in common.
type portSet struct {
	protocols []rules.Interval
	all       bool
	ports     []rules.Interval
}

// sets returns one set for all protocols with the same ports.
func (s *portSets) sets() []portSet {
	var out []portSet
	for i, protocol := range protocols {
		if !s.all[i] && s.ranges[i] == nil {
			continue
		}
		one := portSet{protocols: []rules.Interval{rules.Point(uint64(protocol))}, all: s.all[i]}
		if !one.all {
			c := rules.In(0, s.ranges[i]...)
			one.ports, _ = c.Intervals()
		}
		at := slices.IndexFunc(out, func(o portSet) bool { return o.all == one.all && slices.Equal(o.ports, one.ports) })
		if at >= 0 {
			out[at].protocols = append(out[at].protocols, one.protocols...)
		} else {
			out = append(out, one)
		}
	}
	return out
}

// text is the same for the same ports.
func (s *portSets) text() string {
	sets := s.sets()
	if sets == nil {
		return ""
	}
	return fmt.Sprint(sets)
}
