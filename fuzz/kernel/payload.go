//go:build linux

package kernel

// Cases of matches on the payload.

// textShots are packets with words in them.
func textShots(family int) (list []shot) {
	for _, text := range []string{
		"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n", "get /INDEX.html", "GET", "GE", "xxGET /", "aaaaaaaaab", "aaab", "abababac", "\x00\x01\x02\xff\xfe", "one two three", "", "ab|cd;ef", "needle in a haystack, NEEDLE",
	} {
		for _, pad := range []int{0, 1, 7, 60} {
			b := append(udp(5, 6, pad), text...)
			b[5] = byte(len(b))
			list = append(list, shot{name: "text " + text, raw: head{proto: 17}.ip(family, b)}, shot{name: "text in tcp " + text, raw: head{proto: 6}.ip(family, append(tcp(5, 80, ack|psh), text...))})
		}
	}
	h := head{proto: 17, frag: 5}
	if family == 6 {
		h = head{proto: 17, ext: []ext{frag6(5, false, 3)}}
	}
	return append(list, shot{name: "text in a fragment", raw: h.ip(family, []byte("xxxx GET / needle"))})
}

var plainPayload = []matches{
	{kind: "match", name: "string", shots: textShots, rules: []string{
		`-m string --string GET --algo bm`, `-m string --string GET --algo kmp`, `-m string ! --string GET --algo bm`, `-m string --string get --algo bm --icase`, `-m string --string get --algo kmp --icase`, `-m string --string aaab --algo kmp`, `-m string --string aaab --algo bm`, `-m string --string ababac --algo kmp`,
		`-m string --hex-string "|0001 02ff|" --algo bm`, `-m string --hex-string "G|45|T" --algo kmp`, `-m string --string "one two" --algo bm`, `-m string --string needle --algo bm --from 28`, `-m string --string needle --algo bm --from 60`, `-m string --string needle --algo kmp --from 29 --to 50`, `-m string --string needle --algo bm --to 100`,
		`-m string --string GET --algo bm --from 40 --to 43`, `-m string --string GET --algo bm --from 40 --to 42`, `-m string --string GET --algo kmp --from 60 --to 63`, `-m string --string GET --algo bm --from 28 --to 31`, `-m string --string GET --algo bm --from 28 --to 30`, `-m string --string GET --algo bm --from 29 --to 65535`, `-m string --string GET --algo bm --from 48 --to 51`, `-m string --string GET --algo bm --from 49`,
		`-p udp -m string ! --string needle --algo bm --icase`, `-m string --hex-string "|ff|" --algo kmp --to 20`, `-m string --string GET --algo bm --to 0`, `-m string --string needle --algo kmp --from 9 --to 13`,
	}},
	{kind: "match", name: "u32", family: 4, shots: textShots, rules: []string{
		`-m u32 --u32 "0x0&0xffff=0x1c"`, `-m u32 ! --u32 "0x0&0xffff=0x1c"`, `-m u32 --u32 "0x6&0xff=0x11"`, `-m u32 --u32 "0x6&0xff=0x6,0x11"`, `-m u32 --u32 "0x0>>0x16&0x3c@0x0>>0x10=0x5"`, `-m u32 --u32 "0x0>>0x16&0x3c@0x0=0x50000:0x50006"`, `-m u32 --u32 "0x6&0xff=0x6&&0x0>>0x16&0x3c@0xc>>0x1a&0x3c@0x0=0x47455420"`,
		`-m u32 --u32 "0x4=0x0"`, `-m u32 --u32 "0xc=0xa000001"`, `-m u32 --u32 "0xc=0x0:0xffffffff"`, `-m u32 --u32 "0x64=0x0:0xffffffff"`, `-m u32 ! --u32 "0x64=0x0:0xffffffff"`, `-m u32 --u32 "0x0<<0x4>>0x1c=0x5"`, `-m u32 --u32 "0x2>>0x10&0xfff=0x15:0x1f&&0x8&0xff=0x1"`, `-m u32 --u32 "0x10=0xc0000209"`, `-m u32 --u32 "0xfffc=0x0"`, `-m u32 --u32 "0x0@0x0=0x0"`,
	}},
	{kind: "match", name: "u32", family: 6, shots: textShots, rules: []string{
		`-m u32 --u32 "0x3&0xff=0x8"`, `-m u32 --u32 "0x4&0xff00=0x1100"`, `-m u32 ! --u32 "0x4&0xff00=0x1100"`, `-m u32 --u32 "0x8=0x20010db8"`, `-m u32 --u32 "0x28=0x50006,0x70008"`, `-m u32 --u32 "0x28&0xffff=0x50:0x1bb&&0x4&0xff00=0x600"`, `-m u32 --u32 "0x64=0x0:0xffffffff"`,
	}},
	{kind: "match", name: "bpf", family: 4, shots: textShots, rules: []string{
		`-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"`,                            // protocol 6
		`-m bpf --bytecode "1,6 0 0 0"`,                                                      // never
		`-m bpf --bytecode "1,6 0 0 65535"`,                                                  // always
		`-m bpf --bytecode "4,40 0 0 2,53 0 1 60,6 0 0 1,6 0 0 0"`,                           // length >= 60
		`-m bpf --bytecode "5,177 0 0 0,72 0 0 2,21 0 1 80,6 0 0 1,6 0 0 0"`,                 // destination port 80
		`-m bpf --bytecode "4,128 0 0 0,53 0 1 100,6 0 0 1,6 0 0 0"`,                         // length of the packet
		`-m bpf --bytecode "4,32 0 0 60,21 0 1 1195725856,6 0 0 1,6 0 0 0"`,                  // a word behind some packets
		`-m bpf --bytecode "6,0 0 0 7,2 0 0 3,97 0 0 3,4 0 0 4294967295,84 0 0 6,22 0 0 0"`,  // arithmetic
		`-m bpf --bytecode "5,0 0 0 8,7 0 0 0,0 0 0 100,60 0 0 0,22 0 0 0"`,                  // division
		`-m bpf --bytecode "5,0 0 0 4294963236,21 0 1 0,6 0 0 1,48 0 0 4294963204,22 0 0 0"`, // ancillary data
	}},
}
