package networkpolicy_test

// A second reading of the documentation: clusters drawn at random, written as files,
// and asked about packets one policy at a time, without lists.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/networkpolicy"
)

// The objects as the API has them, as far as they matter.
type (
	meta struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace,omitempty"`
		Labels    map[string]string `json:"labels,omitempty"`
	}
	object struct {
		APIVersion string  `json:"apiVersion"`
		Kind       string  `json:"kind"`
		Metadata   meta    `json:"metadata"`
		Spec       *spec   `json:"spec,omitempty"`
		Status     *status `json:"status,omitempty"`
	}
	spec struct {
		HostNetwork bool        `json:"hostNetwork,omitempty"`
		NodeName    string      `json:"nodeName,omitempty"`
		Containers  []container `json:"containers,omitempty"`

		PodSelector *labelSelector `json:"podSelector,omitempty"`
		PolicyTypes []string       `json:"policyTypes,omitempty"`
		Ingress     []rule         `json:"ingress,omitempty"`
		Egress      []rule         `json:"egress,omitempty"`
	}
	status struct {
		Phase     string        `json:"phase,omitempty"`
		PodIP     string        `json:"podIP,omitempty"`
		PodIPs    []ip          `json:"podIPs,omitempty"`
		HostIP    string        `json:"hostIP,omitempty"`
		Addresses []nodeAddress `json:"addresses,omitempty"`
	}
	ip struct {
		IP string `json:"ip"`
	}
	nodeAddress struct {
		Type    string `json:"type"`
		Address string `json:"address"`
	}
	container struct {
		Ports []port `json:"ports,omitempty"`
	}
	port struct {
		Name          string `json:"name"`
		ContainerPort int    `json:"containerPort"`
		Protocol      string `json:"protocol,omitempty"`
	}
	rule struct {
		From  []peer       `json:"from,omitempty"`
		To    []peer       `json:"to,omitempty"`
		Ports []policyPort `json:"ports,omitempty"`
	}
	peer struct {
		PodSelector       *labelSelector `json:"podSelector,omitempty"`
		NamespaceSelector *labelSelector `json:"namespaceSelector,omitempty"`
		IPBlock           *ipBlock       `json:"ipBlock,omitempty"`
	}
	ipBlock struct {
		CIDR   string   `json:"cidr"`
		Except []string `json:"except,omitempty"`
	}
	policyPort struct {
		Protocol string `json:"protocol,omitempty"`
		Port     any    `json:"port,omitempty"`
		EndPort  int    `json:"endPort,omitempty"`
	}
	labelSelector struct {
		MatchLabels      map[string]string `json:"matchLabels,omitempty"`
		MatchExpressions []expression      `json:"matchExpressions,omitempty"`
	}
	expression struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values,omitempty"`
	}
)

// packet is a first packet of a connection.
type packet struct {
	src, dst netip.Addr
	protocol string // "": one without ports that no policy names
	port     int    // 0: none, as in later fragments
}

func (s *labelSelector) selects(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		have, ok := labels[e.Key]
		in := ok && slices.Contains(e.Values, have)
		switch e.Operator {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "DoesNotExist":
			ok = !ok
		}
		if !ok {
			return false
		}
	}
	return true
}

// world is the objects of a file.
type world []object

// podAt returns the Pod that has an address.
func (w world) podAt(a netip.Addr) *object {
	for i := range w {
		o := &w[i]
		if o.Kind != "Pod" || o.Spec.HostNetwork || o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" {
			continue
		}
		if o.Status.PodIP == a.String() || slices.Contains(o.Status.PodIPs, ip{a.String()}) {
			return o
		}
	}
	return nil
}

// accepts says whether the Pods' policies of one direction let a packet pass.
func (w world) accepts(ingress bool, p packet) bool {
	subject, other := w.podAt(p.src), w.podAt(p.dst)
	address := p.dst
	if ingress {
		subject, other, address = other, subject, p.src
	}
	if subject == nil {
		return true
	}
	isolated := false
	for i := range w {
		o := &w[i]
		if o.Kind != "NetworkPolicy" || o.Metadata.Namespace != subject.Metadata.Namespace ||
			o.Spec.PodSelector != nil && !o.Spec.PodSelector.selects(subject.Metadata.Labels) {
			continue
		}
		types := o.Spec.PolicyTypes
		if len(types) == 0 {
			types = []string{"Ingress"}
			if len(o.Spec.Egress) > 0 {
				types = append(types, "Egress")
			}
		}
		list, kind := o.Spec.Egress, "Egress"
		if ingress {
			list, kind = o.Spec.Ingress, "Ingress"
		}
		if !slices.Contains(types, kind) {
			continue
		}
		isolated = true
		for _, r := range list {
			if w.peerAllowed(append(r.From, r.To...), o.Metadata.Namespace, address, other) && w.portAllowed(r.Ports, p) {
				return true
			}
		}
	}
	return !isolated || subject == other || ingress && w.isNode(subject.Spec.NodeName, p.src)
}

// near returns the addresses to ask about: those of Pods, several times, and some more.
func (w world) near() []string {
	out := slices.Clone(drawnAddresses)
	for _, o := range w {
		if o.Kind == "Pod" && o.Status.PodIP != "" {
			out = append(out, o.Status.PodIP, o.Status.PodIP, o.Status.PodIP, o.Status.PodIP, o.Status.PodIP)
		}
	}
	return out
}

// isNode reports whether a Node has an address.
func (w world) isNode(name string, a netip.Addr) bool {
	for _, o := range w {
		switch {
		case o.Kind == "Pod" && o.Spec.NodeName == name && o.Status.HostIP == a.String():
			return true
		case o.Kind == "Node" && o.Metadata.Name == name:
			for _, n := range o.Status.Addresses {
				if n.Type != "Hostname" && n.Address == a.String() {
					return true
				}
			}
		}
	}
	return false
}

func (w world) peerAllowed(peers []peer, namespace string, a netip.Addr, pod *object) bool {
	for _, p := range peers {
		if p.IPBlock != nil {
			in := netip.MustParsePrefix(p.IPBlock.CIDR).Contains(a)
			for _, e := range p.IPBlock.Except {
				in = in && !netip.MustParsePrefix(e).Contains(a)
			}
			if in {
				return true
			}
			continue
		}
		if pod == nil {
			continue
		}
		if p.NamespaceSelector == nil && pod.Metadata.Namespace != namespace {
			continue
		}
		if p.NamespaceSelector != nil && !p.NamespaceSelector.selects(w.namespaceLabels(pod.Metadata.Namespace)) {
			continue
		}
		if p.PodSelector == nil || p.PodSelector.selects(pod.Metadata.Labels) {
			return true
		}
	}
	return len(peers) == 0
}

func (w world) namespaceLabels(name string) map[string]string {
	out := map[string]string{"kubernetes.io/metadata.name": name}
	for _, o := range w {
		if o.Kind == "Namespace" && o.Metadata.Name == name {
			for k, v := range o.Metadata.Labels {
				out[k] = v
			}
		}
	}
	return out
}

func (w world) portAllowed(ports []policyPort, p packet) bool {
	for _, q := range ports {
		if q.Protocol == "" {
			q.Protocol = "TCP"
		}
		if q.Protocol != p.protocol {
			continue
		}
		switch want := q.Port.(type) {
		case nil:
			return true
		case int:
			if p.port != 0 && (p.port == want || q.EndPort != 0 && p.port >= want && p.port <= q.EndPort) {
				return true
			}
		case string:
			pod := w.podAt(p.dst)
			if pod == nil || p.port == 0 {
				continue
			}
			for _, c := range pod.Spec.Containers {
				for _, have := range c.Ports {
					if have.Name == want && have.ContainerPort == p.port && (have.Protocol == q.Protocol || have.Protocol == "" && q.Protocol == "TCP") {
						return true
					}
				}
			}
		}
	}
	return len(ports) == 0
}

// draw is a source of clusters and packets. Everything comes from small pools, so
// that policies, Pods and packets meet.
type draw struct{ *rand.Rand }

func oneOf[T any](d draw, from ...T) T { return from[d.IntN(len(from))] }

func (d draw) labels() map[string]string {
	out := map[string]string{}
	for _, k := range []string{"x", "y"} {
		if d.IntN(3) > 0 {
			out[k] = oneOf(d, "1", "2")
		}
	}
	return out
}

func (d draw) selector(keys ...string) *labelSelector {
	s := &labelSelector{}
	if d.IntN(3) == 0 {
		s.MatchLabels = map[string]string{oneOf(d, keys...): oneOf(d, "1", "2", "a")}
	}
	for d.IntN(3) == 0 {
		e := expression{Key: oneOf(d, keys...), Operator: oneOf(d, "In", "NotIn", "Exists", "DoesNotExist")}
		if e.Operator == "In" || e.Operator == "NotIn" {
			e.Values = oneOf(d, []string{"1"}, []string{"1", "2"}, []string{"a", "3"})
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

var (
	drawnAddresses = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.1", "192.0.2.1", "192.0.2.2", "::1", "::2", "2001:db8::1", "2001:db8::2",
		"10.0.0.5", "10.0.0.6", "10.0.0.7", "2001:db8::3", "2001:db8::4"}
	drawnBlocks = []ipBlock{{"0.0.0.0/0", nil}, {"::/0", nil}, {"::/0", []string{"2001:db8::/32"}}, {"10.0.0.0/24", []string{"10.0.0.2/31"}},
		{"10.0.0.3/32", nil}, {"10.0.0.0/8", []string{"10.0.0.0/31", "10.0.0.4/32"}}, {"2001:db8::/127", nil}, {"::/96", nil}}
)

func (d draw) ports(names bool) []policyPort {
	var out []policyPort
	for d.IntN(2) == 0 {
		p := policyPort{Protocol: oneOf(d, "", "TCP", "UDP", "SCTP")}
		switch d.IntN(6) {
		case 0, 1:
			if names {
				p.Port = oneOf(d, "web", "dns", "none")
				break
			}
			fallthrough
		case 2, 3:
			p.Port = 1 + d.IntN(4)
		case 4:
			p.Port = 1 + d.IntN(4)
			p.EndPort = p.Port.(int) + d.IntN(3)
		}
		out = append(out, p)
	}
	return out
}

func (d draw) peers() (out []peer, blocks bool) {
	for range oneOf(d, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3) {
		var p peer
		switch d.IntN(5) {
		case 0:
			b := oneOf(d, drawnBlocks...)
			p.IPBlock, blocks = &b, true
		case 1:
			p.PodSelector = d.selector("x", "y")
		case 2:
			p.NamespaceSelector = d.selector("x", "kubernetes.io/metadata.name")
		case 3:
			p.PodSelector = &labelSelector{MatchLabels: map[string]string{oneOf(d, "x", "y"): oneOf(d, "1", "2")}}
		case 4:
			p.PodSelector, p.NamespaceSelector = d.selector("x", "y"), d.selector("x", "kubernetes.io/metadata.name")
		}
		out = append(out, p)
	}
	return out, blocks
}

func (d draw) world() world {
	var w world
	for _, n := range []string{"a", "b"} {
		w = append(w, object{APIVersion: "v1", Kind: "Namespace", Metadata: meta{Name: n, Labels: d.labels()}})
	}
	if d.IntN(2) == 0 {
		w = append(w, object{APIVersion: "v1", Kind: "Node", Metadata: meta{Name: "m"},
			Status: &status{Addresses: []nodeAddress{{"InternalIP", "192.0.2.1"}, {"Hostname", "m"}, {"ExternalIP", "::2"}}}})
	}
	free := slices.Clone(drawnAddresses)
	d.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for i := range 1 + d.IntN(8) {
		o := object{APIVersion: "v1", Kind: "Pod", Metadata: meta{Name: fmt.Sprint("p", i), Namespace: oneOf(d, "a", "b"), Labels: d.labels()},
			Spec: &spec{HostNetwork: d.IntN(8) == 0, NodeName: oneOf(d, "", "m", "n")}, Status: &status{Phase: oneOf(d, "Running", "Running", "Running", "Pending", "Failed")}}
		if d.IntN(6) > 0 {
			o.Status.PodIP = free[0]
			if d.IntN(3) == 0 {
				o.Status.PodIPs = []ip{{free[0]}, {free[1]}}
			}
			free = free[2:]
		}
		if o.Spec.NodeName != "" && d.IntN(2) == 0 {
			o.Status.HostIP = map[string]string{"m": "192.0.2.1", "n": "192.0.2.2"}[o.Spec.NodeName]
		}
		for range d.IntN(3) {
			o.Spec.Containers = append(o.Spec.Containers, container{})
		}
		if len(o.Spec.Containers) > 0 {
			c := &o.Spec.Containers[d.IntN(len(o.Spec.Containers))]
			if d.IntN(2) == 0 {
				c.Ports = append(c.Ports, port{"web", 1 + d.IntN(3), oneOf(d, "", "TCP", "UDP")})
			}
			if d.IntN(2) == 0 {
				c.Ports = append(c.Ports, port{"dns", 1 + d.IntN(3), "UDP"}, port{"dns", 1 + d.IntN(3), "TCP"})
			}
		}
		w = append(w, o)
	}
	for i := range d.IntN(7) {
		s := &spec{PolicyTypes: oneOf(d, nil, []string{"Ingress"}, []string{"Egress"}, []string{"Ingress", "Egress"})}
		if d.IntN(4) > 0 {
			s.PodSelector = d.selector("x", "y")
		}
		for range oneOf(d, 0, 1, 1, 2) {
			from, _ := d.peers()
			s.Ingress = append(s.Ingress, rule{From: from, Ports: d.ports(true)})
		}
		for range oneOf(d, 0, 1, 1, 2) {
			to, blocks := d.peers()
			s.Egress = append(s.Egress, rule{To: to, Ports: d.ports(!blocks)})
		}
		w = append(w, object{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Metadata: meta{Name: fmt.Sprint("n", i), Namespace: oneOf(d, "a", "b")}, Spec: s})
	}
	d.Shuffle(len(w), func(i, j int) { w[i], w[j] = w[j], w[i] })
	return w
}

// file writes a world in one of the ways that there are.
func (d draw) file(t require.TestingT, w world) []byte {
	var out bytes.Buffer
	write := func(v any) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		if d.IntN(2) == 0 {
			out.Write(data)
			out.WriteByte('\n')
			return
		}
		// The field names of YAML are those of JSON: by way of a tree.
		var tree any
		require.NoError(t, json.Unmarshal(data, &tree))
		data, err = yaml.Marshal(tree)
		require.NoError(t, err)
		out.WriteString("---\n")
		out.Write(data)
	}
	switch d.IntN(3) {
	case 0:
		write(map[string]any{"apiVersion": "v1", "kind": "List", "items": w})
	case 1: // JSON values one behind the other
		for _, o := range w {
			data, err := json.MarshalIndent(o, "", "    ")
			require.NoError(t, err)
			out.Write(data)
		}
	default:
		for _, o := range w {
			out.WriteString("---\n")
			write(o)
		}
	}
	return out.Bytes()
}

func TestListsDecideAsPoliciesOneByOne(t *testing.T) {
	rounds := 600
	if testing.Short() {
		rounds = 100
	}
	verdicts := map[string]int{}
	for round := range rounds {
		d := draw{rand.New(rand.NewPCG(7, uint64(round)))}
		w := d.world()
		file := d.file(t, w)
		c, err := networkpolicy.Read(bytes.NewReader(file), networkpolicy.Options{})
		require.NoError(t, err, "%s", file)
		pods, near := c.Pods(), w.near()
		for range 100 {
			p := packet{src: netip.MustParseAddr(oneOf(d, near...)), dst: netip.MustParseAddr(oneOf(d, near...)),
				protocol: oneOf(d, "TCP", "TCP", "UDP", "SCTP", ""), port: d.IntN(6)}
			if p.protocol == "" {
				p.port = 0
			}
			tuple := rules.Tuple{Src: p.src, Dst: p.dst, SrcPort: 1, DstPort: uint16(p.port), NoPorts: p.port == 0,
				Proto: map[string]uint8{"TCP": 6, "UDP": 17, "SCTP": 132, "": 1}[p.protocol]}
			k := rules.IPTuple.NewKey()
			require.True(t, rules.IPTuple.SetTuple(k, tuple))
			for _, name := range []string{"ingress", "egress"} {
				want := map[bool]string{true: "ACCEPT", false: "DROP"}[w.accepts(name == "ingress", p)]
				l := list(t, c, name).Rules
				i, ok := l.First(k)
				require.True(t, ok)
				require.Equal(t, want, l.At(i).Value, "%s of %+v: %s\n%s", name, p, l.At(i).Comment, file)
				verdicts[name+" "+want]++
				if len(pods) == 0 || d.IntN(8) > 0 {
					continue
				}
				// The list of a Pod says the same of its packets, and ACCEPT of others.
				one := pods[d.IntN(len(pods))]
				subject := w.podAt(p.dst)
				if name == "egress" {
					subject = w.podAt(p.src)
				}
				if subject == nil || subject.Metadata.Namespace+"/"+subject.Metadata.Name != one {
					want = "ACCEPT"
				}
				l = list(t, c, one+"/"+name).Rules
				i, ok = l.First(k)
				require.True(t, ok)
				require.Equal(t, want, l.At(i).Value, "%s/%s of %+v: %s\n%s", one, name, p, l.At(i).Comment, file)
			}
		}
	}
	for _, what := range []string{"ingress ACCEPT", "ingress DROP", "egress ACCEPT", "egress DROP"} {
		require.Greater(t, verdicts[what], rounds, what)
	}
}
