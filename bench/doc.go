// Package bench measures the classifier on rule sets and packets of its own
// making (package workload). Its results are Go benchmarks in the standard
// format, for benchstat:
//
//	go test ./bench -run '^$' -bench Lookup
//	go test ./bench -run '^$' -bench Build
//	go test ./bench -run '^$' -bench 'Lookup/set=fw1/n=100000'
//
// B/rule is the memory of everything that a lookup reads; matched the share of
// packets that some rule matched.
package bench
