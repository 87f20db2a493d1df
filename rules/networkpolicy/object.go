package networkpolicy

// Objects: what of the documents is read, what is passed over and what is refused;
// Pods, Namespaces and Nodes as far as policies ask for them.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
)

// metadataName is the label that the control plane sets on every Namespace.
const metadataName = "kubernetes.io/metadata.name"

// passedOver are the built-in kinds, by API group, that say nothing of which
// packets pass. Everything that is not among them is refused.
var passedOver = map[string][]string{
	"": {"ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolume", "PersistentVolumeClaim", "PodTemplate",
		"ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"},
	"apiextensions.k8s.io":      {"CustomResourceDefinition"},
	"apps":                      {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
	"autoscaling":               {"HorizontalPodAutoscaler"},
	"batch":                     {"CronJob", "Job"},
	"coordination.k8s.io":       {"Lease"},
	"discovery.k8s.io":          {"EndpointSlice"},
	"events.k8s.io":             {"Event"},
	"networking.k8s.io":         {"Ingress", "IngressClass"},
	"node.k8s.io":               {"RuntimeClass"},
	"policy":                    {"PodDisruptionBudget"},
	"rbac.authorization.k8s.io": {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
	"scheduling.k8s.io":         {"PriorityClass"},
	"storage.k8s.io":            {"CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"},
}

type namespace struct {
	labels map[string]string
	known  bool // the file has the object; else only metadataName is known
}

type containerPort struct {
	name     string
	protocol uint8
	number   uint16
}

type pod struct {
	at              place
	namespace, name string
	labels          map[string]string
	addresses       []rules.Value
	node            string        // its name, or its addresses; "": not known
	hosts           []rules.Value // addresses of the node that the Pod's status has
	ports           []containerPort
}

func (p *pod) String() string { return p.namespace + "/" + p.name }

// objectReader reads the objects of a file into a Cluster.
type objectReader struct {
	walker
	c    *Cluster
	seen map[string]place     // objects by kind and name
	held map[rules.Value]*pod // who has an address
	pods int                  // Pods of which the status is known
}

// document reads an object, or a List of them.
func (r *objectReader) document(root *yaml.Node) {
	r.where = ""
	if !r.check(root, 0) {
		return
	}
	if root.Kind != yaml.MappingNode {
		r.wrong(root, "", "expected a Kubernetes object, a mapping with apiVersion and kind")
		return
	}
	version, kind := r.header(root)
	if kind == "" {
		return
	}
	singular, list := strings.CutSuffix(kind, "List")
	items := field(root, "items")
	if list && items == nil {
		list = slices.IndexFunc(root.Content, func(n *yaml.Node) bool {
			return n.Kind == yaml.ScalarNode && (n.Value == "spec" || n.Value == "data" || n.Value == "status")
		}) < 0
	}
	if !list {
		r.object(root, version, kind)
		return
	}
	if items == nil {
		return
	}
	r.items(items, "items", func(path string, item *yaml.Node) {
		r.where = ""
		if item.Kind != yaml.MappingNode {
			r.wrong(item, path, "expected a Kubernetes object")
			return
		}
		v, k := version, singular
		if singular == "" || field(item, "kind") != nil || field(item, "apiVersion") != nil {
			if v, k = r.header(item); k == "" {
				return
			}
		}
		switch {
		case strings.HasSuffix(k, "List") && field(item, "items") != nil:
			r.unmodelled(field(item, "items"), path, "a %s within a %s", k, kind)
		case singular != "" && (k != singular || v != version):
			r.wrong(item, path, "a %s of %s within a %s of %s", k, v, kind, version)
		default:
			r.object(item, v, k)
		}
	})
}

// header returns the apiVersion and the kind of an object; "": it has none.
func (r *objectReader) header(n *yaml.Node) (version, kind string) {
	v, k := field(n, "apiVersion"), field(n, "kind")
	if v == nil || k == nil {
		r.wrong(n, "", "expected a Kubernetes object, and this has no apiVersion or no kind")
		return "", ""
	}
	failed := r.failed
	version, kind = r.text(v, "apiVersion"), r.text(k, "kind")
	if r.failed == failed && (version == "" || kind == "") {
		r.wrong(n, "", "expected a Kubernetes object, and its apiVersion or kind is empty")
	}
	if version == "" {
		return "", ""
	}
	return version, kind
}

// object reads an object of a kind.
func (r *objectReader) object(n *yaml.Node, version, kind string) {
	group, v, ok := strings.Cut(version, "/")
	if !ok {
		group, v = "", version
	}
	namespaced := true
	var read func(n *yaml.Node, namespace, name string, labels map[string]string)
	switch {
	case group == "" && v == "v1" && kind == "Pod":
		read = r.pod
	case group == "" && v == "v1" && kind == "Namespace":
		read, namespaced = r.namespace, false
	case group == "" && v == "v1" && kind == "Node":
		read, namespaced = r.node, false
	case version == "networking.k8s.io/v1" && kind == "NetworkPolicy":
		read = r.policy
	case slices.Contains(passedOver[group], kind):
		r.c.left = append(r.c.left, Left{n.Line, kind + " " + nameOf(n), "kinds that say nothing of packets are passed over"})
		return
	default:
		at := n
		if k := field(n, "kind"); k != nil {
			at = k
		}
		r.where = fmt.Sprintf("%s %s", kind, nameOf(n))
		switch {
		case kind == "NetworkPolicy" && (group == "networking.k8s.io" || group == "extensions"):
			r.unmodelled(at, "", "of %s: only networking.k8s.io/v1 is read", version)
		case strings.Contains(kind, "Policy") || strings.Contains(kind, "Policies"):
			r.unmodelled(at, "", "of %s: such policies decide about packets beside NetworkPolicies, and are not modelled", version)
		default:
			r.unmodelled(at, "", "of %s: only NetworkPolicy, Pod, Namespace and Node are read, and kinds that are not known to say nothing of packets are refused", version)
		}
		return
	}
	namespace, name, labels := r.metadata(n, kind, namespaced)
	if name == "" {
		return
	}
	full := kind + " " + name
	if namespaced {
		full = kind + " " + namespace + "/" + name
	}
	r.where = full
	if first, twice := r.seen[full]; twice {
		r.fail(placeOf(n), "", "", fmt.Sprintf("stands twice in the file, first in line %d", first.line), nil)
		return
	}
	r.seen[full] = placeOf(n)
	read(n, namespace, name, labels)
}

// nameOf returns the name of an object for messages.
func nameOf(n *yaml.Node) string {
	m := field(n, "metadata")
	name, namespace := field(m, "name"), field(m, "namespace")
	switch {
	case name == nil:
		return "without a name"
	case namespace == nil:
		return name.Value
	}
	return namespace.Value + "/" + name.Value
}

// metadata reads what names an object, and its labels.
func (r *objectReader) metadata(n *yaml.Node, kind string, namespaced bool) (namespace, name string, labels map[string]string) {
	m := field(n, "metadata")
	if m == nil {
		r.wrong(n, "metadata", "a %s without metadata", kind)
		return "", "", nil
	}
	failed := r.failed
	r.where = kind
	r.fields(m, "metadata", func(key string, _, v *yaml.Node) {
		switch key {
		case "name":
			name = r.text(v, "metadata.name")
			r.where = kind + " " + name
		case "namespace":
			namespace = r.text(v, "metadata.namespace")
		case "labels":
			labels = r.labels(v, "metadata.labels")
		}
	})
	if namespaced && namespace == "" {
		namespace = "default"
	}
	switch {
	case r.failed > failed:
		return "", "", nil
	case name == "":
		r.wrong(m, "metadata", "a %s without a name", kind)
	case strings.Contains(name, "/") || strings.Contains(namespace, "/"):
		r.wrong(m, "metadata", "a name with a slash")
		return "", "", nil
	}
	return namespace, name, labels
}

func (r *objectReader) namespace(n *yaml.Node, _, name string, labels map[string]string) {
	if labels == nil {
		labels = map[string]string{}
	}
	if l, ok := labels[metadataName]; ok && l != name {
		r.fail(placeOf(n), "metadata.labels", l, "the label "+metadataName+" is the name of the Namespace", nil)
	}
	labels[metadataName] = name
	r.c.namespaces[name] = &namespace{labels: labels, known: true}
}

// node reads the addresses of a Node.
func (r *objectReader) node(n *yaml.Node, _, name string, _ map[string]string) {
	addresses := field(field(n, "status"), "addresses")
	if addresses == nil {
		return
	}
	r.items(addresses, "status.addresses", func(path string, item *yaml.Node) {
		kind, a := field(item, "type"), field(item, "address")
		if kind == nil || a == nil {
			r.wrong(item, path, "expected a type and an address")
			return
		}
		if kind.Value == "InternalIP" || kind.Value == "ExternalIP" {
			if v, ok := r.address(a, path+".address"); ok {
				r.c.addNode(name, n.Line, v)
			}
		}
	})
}

// address reads an address.
func (r *objectReader) address(n *yaml.Node, path string) (rules.Value, bool) {
	failed := r.failed
	a, err := netip.ParseAddr(r.text(n, path))
	if r.failed > failed {
		return rules.Value{}, false
	}
	if err != nil || a.Zone() != "" {
		r.wrong(n, path, "expected an IPv4 or IPv6 address")
		return rules.Value{}, false
	}
	return rules.Addr16(a), true
}

// addresses reads the address of one field and those in the list of another.
func (r *objectReader) addresses(status *yaml.Node, one, many string) []rules.Value {
	var out []rules.Value
	add := func(n *yaml.Node, path string) {
		if n.Kind == yaml.ScalarNode && n.Value == "" {
			return
		}
		if v, ok := r.address(n, path); ok && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	if n := field(status, one); n != nil {
		add(n, "status."+one)
	}
	if n := field(status, many); n != nil {
		if len(n.Content) > 2 {
			r.wrong(n, "status."+many, "expected at most one address of each family")
			return out
		}
		r.items(n, "status."+many, func(path string, item *yaml.Node) {
			ip := field(item, "ip")
			if ip == nil {
				r.wrong(item, path, "expected a mapping with an ip")
				return
			}
			add(ip, path+".ip")
		})
	}
	return out
}

// pod reads a Pod. One that has no packets of its own is left out.
func (r *objectReader) pod(n *yaml.Node, namespace, name string, labels map[string]string) {
	p := &pod{at: placeOf(n), namespace: namespace, name: name, labels: labels}
	spec, status := field(n, "spec"), field(n, "status")
	if status == nil {
		r.fail(p.at, "status", "", "a Pod without status: its address is not known; kubectl get pods -o yaml prints it", rules.ErrUnsupported)
		return
	}
	failed := r.failed
	hostNetwork, phase := false, ""
	if f := field(spec, "hostNetwork"); f != nil {
		hostNetwork = r.bool(f, "spec.hostNetwork")
	}
	if f := field(spec, "nodeName"); f != nil {
		p.node = r.text(f, "spec.nodeName")
	}
	if f := field(status, "phase"); f != nil {
		phase = r.text(f, "status.phase")
	}
	p.addresses = r.addresses(status, "podIP", "podIPs")
	p.hosts = r.addresses(status, "hostIP", "hostIPs")
	r.containers(p, spec)
	if r.failed > failed {
		return
	}
	if phase == "" && len(p.addresses) == 0 {
		r.fail(placeOf(status), "status", "", "a Pod without phase and podIP: its address is not known; kubectl get pods -o yaml prints it", rules.ErrUnsupported)
		return
	}
	r.pods++
	if p.node == "" && len(p.hosts) > 0 {
		p.node = p.hosts[0].Addr().String()
	}
	for _, v := range p.hosts {
		if p.node != "" {
			r.c.addNode(p.node, n.Line, v)
		}
	}
	reason := ""
	switch {
	case hostNetwork:
		reason = "hostNetwork: what NetworkPolicies mean for such Pods is not defined; their packets are those of the Node"
	case phase == "Succeeded" || phase == "Failed":
		reason = "phase " + phase + ": it has ended"
	case len(p.addresses) == 0:
		reason = "it has no address"
	}
	if reason != "" {
		r.c.left = append(r.c.left, Left{n.Line, r.where, reason})
		return
	}
	for _, v := range p.addresses {
		if other := r.held[v]; other != nil {
			r.fail(p.at, "status.podIPs", v.Addr().String(), fmt.Sprintf("the address of another Pod, %v in line %d", other, other.at.line), nil)
			return
		}
		r.held[v] = p
	}
	r.c.pods = append(r.c.pods, p)
}

// containers reads the named ports of a Pod's containers, and of init containers
// that go on running beside them.
func (r *objectReader) containers(p *pod, spec *yaml.Node) {
	seen := map[containerPort]bool{}
	for _, key := range []string{"containers", "initContainers"} {
		list := field(spec, key)
		if list == nil {
			continue
		}
		r.items(list, "spec."+key, func(path string, container *yaml.Node) {
			if again := field(container, "restartPolicy"); key == "initContainers" && (again == nil || again.Value != "Always") {
				return
			}
			ports := field(container, "ports")
			if ports == nil {
				return
			}
			r.items(ports, path+".ports", func(path string, item *yaml.Node) {
				name := field(item, "name")
				if name == nil {
					return
				}
				port := containerPort{name: r.text(name, path+".name"), protocol: tcp}
				number := field(item, "containerPort")
				if number == nil {
					r.wrong(item, path, "a port without containerPort")
					return
				}
				port.number, _ = r.port(number, path+".containerPort")
				if f := field(item, "protocol"); f != nil {
					port.protocol = r.protocol(f, path+".protocol")
				}
				if port.name != "" && !seen[port] {
					seen[port] = true
					p.ports = append(p.ports, port)
				}
			})
		})
	}
}
