// Package networkpolicy reads the NetworkPolicies of a Kubernetes cluster
// (networking.k8s.io/v1) with the Pods, Namespaces and Nodes that they speak of, and
// makes two lists of them: what may come into Pods, and what may go out.
//
// The file is YAML or JSON: manifests, one document or several, or what kubectl
// prints of a cluster:
//
//	kubectl get networkpolicies,pods,namespaces,nodes -A -o yaml
//
// # The lists
//
// Both are of the schema rules.IPTuple, with the values ACCEPT and DROP:
//
//	ingress   what the destination of a packet allows
//	egress    what the source of a packet allows
//
// A PACKET PASSES WHEN BOTH LISTS ACCEPT IT: a connection between two Pods needs
// the egress of the one and the ingress of the other. Policies are about
// connections, and replies are allowed with them: ask for the first packet of a
// connection. The rules of a list are, in this order:
//
//	ACCEPT  for each rule of each policy, as the file has them: its peers, the
//	        selected Pods, its protocols and ports. Ports that UDP and TCP have in
//	        common are one rule, and so are all Pods in which the name of a port
//	        stands for the same number.
//	ACCEPT  a Pod and itself, which no policy forbids
//	ACCEPT  ingress only: a Node and its own Pods
//	DROP    the Pods that policies isolate, a rule for all that the same policies do
//	ACCEPT  everything else
//
// The comment of a rule names the policy and the item that it comes from,
// "shop/web ingress[0]". A rule of a policy that selects no Pod, or of
// which no Pod is a peer, is there with an empty condition and matches nothing.
// [Cluster.List] has the same for single Pods, "NAMESPACE/POD/ingress".
//
// # Coverage
//
// Sources: Kubernetes documentation, "Network Policies" (concepts, services and
// networking), "Labels and Selectors", and the API reference of NetworkPolicy
// v1, LabelSelector, Pod and Node, of Kubernetes 1.25 and later, where endPort is
// stable; the checks of pkg/apis/networking/validation in its sources.
//
//	spec.podSelector     Pods of the policy's Namespace; empty or missing: all of it
//	policyTypes          missing or empty: Ingress, and Egress when there are rules
//	                     of egress. Rules of a type that is not named do nothing.
//	ingress, egress      none: the selected Pods are isolated, nothing is allowed
//	from, to             missing or empty: everybody. An empty peer is refused.
//	podSelector          alone: Pods of the policy's Namespace; with a
//	                     namespaceSelector in one peer: Pods that meet it in
//	                     Namespaces that meet the other. Two peers are two ways in.
//	namespaceSelector    alone: all Pods of those Namespaces; empty: of all
//	ipBlock              addresses, also where they are those of Pods; except must be
//	                     inside of cidr. ::/0 is about IPv6 alone.
//	matchLabels, matchExpressions
//	                     In, NotIn (also without the label), Exists, DoesNotExist
//	ports                missing or empty: all packets. protocol: TCP when missing,
//	                     UDP, SCTP; without port: all ports of it. endPort: a range.
//	port: NAME           the port of that name and protocol of the destination's
//	                     containers and lasting init containers, Pod by Pod: of the
//	                     selected Pods (ingress), of the peers (egress), of all Pods
//	                     (egress without to). It matches no Pod without that name.
//	kubernetes.io/metadata.name
//	                     the label that every Namespace has; set when it is missing
//	a missing namespace  default
//
// What the documentation leaves open, and what is made of it:
//
//	other protocols      ICMP and the like: undefined. Rules without ports allow
//	                     them, and isolated Pods drop the others, as most do.
//	fragments            without ports: rules with ports don't match them
//	own Node             its addresses: InternalIP and ExternalIP in status.addresses
//	                     of the Node, hostIP and hostIPs of its Pods. Other addresses
//	                     that a Node has, such as that of a bridge, are not in the
//	                     objects. To its own Node an isolated Pod may not: of egress
//	                     the section on isolation and the API know no exception,
//	                     though the page's introduction excepts both ways.
//	hostNetwork Pods     undefined; they are left out, selected by nothing and no
//	                     peer, the second and more common of the two ways that are
//	                     allowed: their packets are those of the Node.
//	address rewriting    of Services and of load balancers: not modelled. Addresses
//	                     are those that the policy sees.
//
// Left out, and told by [Cluster.LeftOut]: hostNetwork Pods, those that have ended
// (phase Succeeded, Failed), those that have no address yet; and objects of
// built-in kinds that say nothing of which packets pass, such as Service, Deployment,
// ConfigMap, Role or EndpointSlice.
//
// Refused, all places at once, with rules.ErrUnsupported:
//
//	other policies       AdminNetworkPolicy, BaselineAdminNetworkPolicy,
//	                     ClusterNetworkPolicy, CiliumNetworkPolicy,
//	                     GlobalNetworkPolicy and all others, and every other kind
//	                     that is not built in; NetworkPolicies of other API versions
//	unknown fields       of a NetworkPolicy outside metadata
//	Pods without status  their addresses are not known; so are policies without Pods
//	unknown Namespaces   a selector asks for another label than the name of one that
//	                     is not in the file and has Pods
//	names of ports       beside an ipBlock in egress, where nothing says whose port it
//	                     is; and of two different ports of one Pod and protocol
//	YAML                 aliases, merge keys and tags beyond the core ones
//
// Errors in the file, which Kubernetes refuses too: values of wrong types (a
// label or name that is yes, on or a number must be in quotes), keys that stand
// twice, objects that stand twice, ports and blocks out of range, an address that two
// Pods have. An empty item of a list is refused, also where a server takes it for
// {}, which would allow everything.
package networkpolicy
