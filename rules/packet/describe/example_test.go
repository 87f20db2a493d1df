package describe_test

import (
	"fmt"

	"github.com/hipac-go/classifier/rules/packet/describe"
)

func ExampleParse() {
	p, err := describe.Parse(`tcp 10.0.0.1:4242 > 192.0.2.7:https PSH,ACK in=eth0 ctstate=ESTABLISHED payload="GET /"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p)
	fmt.Println(len(p.Data), "bytes")
	_, err = describe.Parse("tcp 10.0.0.1:4242 > 192.0.2.7:443 ttl=300")
	fmt.Println(err)
	// Output:
	// tcp 10.0.0.1:4242 > 192.0.2.7:443 PSH,ACK payload="GET /" in=eth0 ctstate=ESTABLISHED
	// 45 bytes
	// column 35: "ttl=300": not a number in 0..255
}
