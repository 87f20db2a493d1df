package cisco

// Names that IOS has for numbers: its own, which are not those of /etc/services or
// of IANA (port 512 is biff with UDP and exec with TCP, 139 is netbios-ss). They
// are those of `permit ?` in releases 12.4 to 17.

var protocols = map[string]int{
	"ip": anyProtocol, "ahp": 51, "eigrp": 88, "esp": 50, "gre": 47, "icmp": protoICMP, "igmp": 2, "igrp": 9, "ipinip": 4,
	"nos": 94, "ospf": 89, "pcp": 108, "pim": 103, "sctp": 132, "tcp": protoTCP, "udp": protoUDP,
}

const (
	anyProtocol = -1
	tcpOrUDP    = -2 // of members of service groups
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
)

var tcpPorts = map[string]uint16{
	"bgp": 179, "chargen": 19, "cmd": 514, "connectedapps-plain": 15001, "connectedapps-tls": 15002, "daytime": 13, "discard": 9,
	"domain": 53, "drip": 3949, "echo": 7, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70, "hostname": 101,
	"ident": 113, "irc": 194, "klogin": 543, "kshell": 544, "login": 513, "lpd": 515, "msrpc": 135, "nntp": 119,
	"onep-plain": 15001, "onep-tls": 15002, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "smtp": 25, "sunrpc": 111,
	"syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "time": 37, "uucp": 540, "whois": 43, "www": 80,
}

var udpPorts = map[string]uint16{
	"biff": 512, "bootpc": 68, "bootps": 67, "discard": 9, "dnsix": 195, "domain": 53, "echo": 7, "isakmp": 500,
	"mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ss": 139, "non500-isakmp": 4500,
	"ntp": 123, "pim-auto-rp": 496, "rip": 520, "ripv6": 521, "snmp": 161, "snmptrap": 162, "sunrpc": 111, "syslog": 514,
	"tacacs": 49, "talk": 517, "tftp": 69, "time": 37, "who": 513, "xdmcp": 177,
}

// message is an ICMP type, with a code or any (-1).
type message struct{ kind, code int }

var icmpMessages = map[string]message{
	"echo-reply":  {0, -1},
	"unreachable": {3, -1}, "net-unreachable": {3, 0}, "host-unreachable": {3, 1}, "protocol-unreachable": {3, 2},
	"port-unreachable": {3, 3}, "packet-too-big": {3, 4}, "source-route-failed": {3, 5}, "network-unknown": {3, 6},
	"host-unknown": {3, 7}, "host-isolated": {3, 8}, "dod-net-prohibited": {3, 9}, "dod-host-prohibited": {3, 10},
	"net-tos-unreachable": {3, 11}, "host-tos-unreachable": {3, 12}, "administratively-prohibited": {3, 13},
	"host-precedence-unreachable": {3, 14}, "precedence-unreachable": {3, 15},
	"source-quench": {4, -1},
	"redirect":      {5, -1}, "net-redirect": {5, 0}, "host-redirect": {5, 1}, "net-tos-redirect": {5, 2}, "host-tos-redirect": {5, 3},
	"alternate-address": {6, -1}, "echo": {8, -1}, "router-advertisement": {9, -1}, "router-solicitation": {10, -1},
	"time-exceeded": {11, -1}, "ttl-exceeded": {11, 0}, "reassembly-timeout": {11, 1},
	"parameter-problem": {12, -1}, "general-parameter-problem": {12, 0}, "option-missing": {12, 1}, "no-room-for-option": {12, 2},
	"timestamp-request": {13, -1}, "timestamp-reply": {14, -1}, "information-request": {15, -1}, "information-reply": {16, -1},
	"mask-request": {17, -1}, "mask-reply": {18, -1}, "traceroute": {30, -1}, "conversion-error": {31, -1}, "mobile-redirect": {32, -1},
}

var dscps = map[string]int{
	"default": 0, "ef": 46, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30,
	"af41": 34, "af42": 36, "af43": 38,
}

var precedences = map[string]int{
	"routine": 0, "priority": 1, "immediate": 2, "flash": 3, "flash-override": 4, "critical": 5, "internet": 6, "network": 7,
}

var toses = map[string]int{"normal": 0, "min-monetary-cost": 1, "max-reliability": 2, "max-throughput": 4, "min-delay": 8}

var flagBits = map[string]uint8{"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32}

// notModelled are the words behind the addresses of an entry that IOS takes and
// this package does not, and why.
var notModelled = map[string]string{
	"time-range": "whether a time range is active is not in a packet",
	"reflect":    "a reflexive list has entries that come and go with the traffic",
	"option":     "options of the IP header are not modelled",
	"timeout":    "a dynamic entry ends by itself",
	"tracked":    "what is tracked is not in a packet",
}
