package rules

// Names of IP protocols and of services, as rule files use them. The tables
// are the project's own so that a rule file means the same on every machine,
// whatever its /etc/protocols and /etc/services say. Numbers: IANA's
// registries "Protocol Numbers" and "Service Name and Transport Protocol Port
// Number".

import "strings"

var protocols = []struct {
	number uint8
	names  string // the first one is printed
}{
	{1, "icmp"}, {2, "igmp"}, {3, "ggp"}, {4, "ipencap ip-encap"}, {5, "st"}, {6, "tcp"}, {8, "egp"}, {9, "igp"},
	{12, "pup"}, {17, "udp"}, {20, "hmp"}, {22, "xns-idp"}, {27, "rdp"}, {29, "iso-tp4"}, {33, "dccp"}, {36, "xtp"},
	{37, "ddp"}, {38, "idpr-cmtp"}, {41, "ipv6"}, {43, "ipv6-route"}, {44, "ipv6-frag"}, {45, "idrp"}, {46, "rsvp"},
	{47, "gre"}, {50, "esp ipv6-crypt"}, {51, "ah ipv6-auth"}, {57, "skip"}, {58, "ipv6-icmp icmpv6"},
	{59, "ipv6-nonxt"}, {60, "ipv6-opts"}, {73, "rspf cphb"}, {81, "vmtp"}, {88, "eigrp"}, {89, "ospf ospfigp"},
	{93, "ax.25"}, {94, "ipip ipip-tunnel"}, {97, "etherip"}, {98, "encap"}, {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"},
	{115, "l2tp"}, {124, "isis"}, {132, "sctp"}, {133, "fc"}, {135, "mobility-header mh ipv6-mh"}, {136, "udplite"},
	{137, "mpls-in-ip"}, {138, "manet"}, {139, "hip"}, {140, "shim6"}, {141, "wesp"}, {142, "rohc"},
}

var services = []struct {
	port  uint16
	names string
}{
	{1, "tcpmux"}, {7, "echo"}, {9, "discard"}, {11, "systat"}, {13, "daytime"}, {17, "qotd"}, {19, "chargen"},
	{20, "ftp-data"}, {21, "ftp"}, {22, "ssh"}, {23, "telnet"}, {25, "smtp mail"}, {37, "time"}, {43, "whois nicname"},
	{49, "tacacs"}, {53, "domain"}, {67, "bootps"}, {68, "bootpc"}, {69, "tftp"}, {70, "gopher"}, {79, "finger"},
	{80, "http www"}, {88, "kerberos"}, {102, "iso-tsap"}, {104, "acr-nema"}, {110, "pop3 pop-3"}, {111, "sunrpc portmapper"},
	{113, "auth ident"}, {119, "nntp"}, {123, "ntp"}, {135, "epmap loc-srv"}, {137, "netbios-ns"}, {138, "netbios-dgm"},
	{139, "netbios-ssn"}, {143, "imap2 imap"}, {161, "snmp"}, {162, "snmp-trap snmptrap"}, {177, "xdmcp"}, {179, "bgp"},
	{194, "irc"}, {210, "z3950"}, {213, "ipx"}, {319, "ptp-event"}, {320, "ptp-general"}, {345, "pawserv"}, {369, "rpc2portmap"},
	{389, "ldap"}, {427, "svrloc"}, {443, "https"}, {444, "snpp"}, {445, "microsoft-ds"}, {464, "kpasswd"}, {465, "submissions ssmtp smtps urd"},
	{500, "isakmp"}, {512, "exec biff"}, {513, "login who"}, {514, "shell syslog"}, {515, "printer"}, {517, "talk"},
	{518, "ntalk"}, {520, "route router"}, {546, "dhcpv6-client"}, {547, "dhcpv6-server"}, {548, "afpovertcp"}, {554, "rtsp"},
	{563, "nntps"}, {587, "submission"}, {623, "asf-rmcp"}, {631, "ipp"}, {636, "ldaps"}, {873, "rsync"}, {989, "ftps-data"},
	{990, "ftps"}, {992, "telnets"}, {993, "imaps"}, {995, "pop3s"}, {1080, "socks"}, {1194, "openvpn"}, {1433, "ms-sql-s"},
	{1434, "ms-sql-m"}, {1521, "oracle"}, {1645, "datametrics"}, {1646, "sa-msg-port"}, {1701, "l2f l2tp"}, {1723, "pptp"},
	{1812, "radius"}, {1813, "radius-acct"}, {1883, "mqtt"}, {2049, "nfs"}, {2086, "gnunet"}, {2401, "cvspserver"},
	{2628, "dict"}, {3128, "squid"}, {3130, "icpv2"}, {3260, "iscsi-target"}, {3306, "mysql"}, {3389, "ms-wbt-server"},
	{3632, "distcc"}, {3690, "svn"}, {4369, "epmd"}, {4500, "ipsec-nat-t"}, {4789, "vxlan"}, {5060, "sip"}, {5061, "sip-tls"},
	{5222, "xmpp-client"}, {5269, "xmpp-server"}, {5353, "mdns"}, {5432, "postgresql"}, {5671, "amqps"}, {5672, "amqp"},
	{5900, "rfb vnc"}, {6000, "x11"}, {6379, "redis"}, {6514, "syslog-tls"}, {6667, "ircd"}, {6697, "ircs-u"},
	{8080, "http-alt webcache"}, {8443, "https-alt"}, {8883, "secure-mqtt"}, {9418, "git"}, {9100, "jetdirect"},
	{10050, "zabbix-agent"}, {10051, "zabbix-trapper"}, {11211, "memcached"}, {27017, "mongodb"},
}

var (
	protocolByName = map[string]uint8{}
	protocolNames  [256]string
	serviceByName  = map[string]uint16{}
)

func init() {
	for _, p := range protocols {
		for i, n := range strings.Fields(p.names) {
			if i == 0 {
				protocolNames[p.number] = n
			}
			protocolByName[n] = p.number
		}
	}
	for _, s := range services {
		for _, n := range strings.Fields(s.names) {
			serviceByName[n] = s.port
		}
	}
}

// ProtocolNumber returns the number of the named IP protocol, in any case.
func ProtocolNumber(name string) (uint8, bool) {
	if p, ok := protocolByName[name]; ok {
		return p, true
	}
	p, ok := protocolByName[strings.ToLower(name)]
	return p, ok
}

// ProtocolName returns the name of an IP protocol, or "" when it has none.
func ProtocolName(number uint8) string { return protocolNames[number] }

// ServicePort returns the port of the named service.
func ServicePort(name string) (uint16, bool) {
	p, ok := serviceByName[name]
	return p, ok
}
