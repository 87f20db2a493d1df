package classbench_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
)

// A rule file and a trace are read, and every packet gets the 1-based number
// of the first rule that matches it.
func Example() {
	list, err := classbench.Read(strings.NewReader(""+
		"@192.0.2.0/24\t10.0.0.0/8\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000\n"+
		"@0.0.0.0/0\t10.0.0.0/8\t0 : 65535\t0 : 1023\t0x06/0xFF\t0x0000/0x0000\n"), classbench.Options{File: "rules"})
	if err != nil {
		fmt.Println(err)
		return
	}
	trace := classbench.NewTraceReader(strings.NewReader(""+
		"3221225985\t167772161\t40000\t80\t6\n"+
		"3325256705\t167772161\t40000\t80\t6\n"+
		"3325256705\t167772161\t40000\t53\t17\n"), classbench.Options{File: "trace"})
	key := rules.IPv4Tuple.NewKey()
	for {
		if _, err := trace.Next(key); err == io.EOF {
			break
		} else if err != nil {
			fmt.Println(err)
			return
		}
		number := 0
		if i, ok := list.First(key); ok {
			number = i + 1
		}
		fmt.Println(number)
	}
	// Output:
	// 1
	// 2
	// 0
}

func ExampleRead_error() {
	_, err := classbench.Read(strings.NewReader("@10.0.0.0/33\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\n"),
		classbench.Options{File: "acl1.rules"})
	fmt.Println(err)
	// Output: acl1.rules:1:11: prefix length is above 32: "33"
}

func ExampleWrite() {
	src, _ := rules.IPv4Tuple.ParseCond("src=192.0.2.0/24")
	dport, _ := rules.IPv4Tuple.ParseCond("dport=1024-2047")
	list, _ := rules.NewList(rules.IPv4Tuple, rules.Rule[classbench.Flags]{Conds: []rules.Cond{src, dport}})
	var b strings.Builder
	if err := classbench.Write(&b, list); err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.ReplaceAll(b.String(), "\t", " "))
	// Output: @192.0.2.0/24 0.0.0.0/0 0 : 65535 1024 : 2047 0x00/0x00 0x0000/0x0000
}
