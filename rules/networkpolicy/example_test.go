package networkpolicy_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/hipac-go/classifier/rules/native"
	"github.com/hipac-go/classifier/rules/networkpolicy"
)

const cluster = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
spec:
  podSelector:
    matchLabels: {app: db}
  ingress:
  - from:
    - podSelector:
        matchLabels: {app: web}
    ports:
    - port: sql
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec:
  containers: [{name: web}]
status: {phase: Running, podIP: 10.0.1.4}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, labels: {app: db}}
spec:
  containers: [{name: db, ports: [{name: sql, containerPort: 5432}]}]
status: {phase: Running, podIP: 10.0.2.7, hostIP: 192.0.2.1}
`

func ExampleRead() {
	c, err := networkpolicy.Read(strings.NewReader(cluster), networkpolicy.Options{File: "cluster.yaml"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ingress, err := c.List("ingress")
	if err != nil {
		fmt.Println(err)
		return
	}
	native.Write(os.Stdout, ingress.Rules)
	// Output:
	// hipac 1
	// schema ip
	// rule src=10.0.1.4 dst=10.0.2.7 dport=5432 proto=tcp => ACCEPT  # default/db ingress[0], port sql
	// rule src=10.0.2.7 dst=10.0.2.7 => ACCEPT  # a Pod to itself, always allowed: default/db-0
	// rule src=192.0.2.1 dst=10.0.2.7 => ACCEPT  # a Node to its own Pods, always allowed: 192.0.2.1
	// rule dst=10.0.2.7 => DROP  # isolated for ingress by default/db
	// rule any => ACCEPT  # not isolated for ingress
}

func ExampleRead_error() {
	_, err := networkpolicy.Read(strings.NewReader(strings.Replace(cluster, "podSelector", "podSelect", 1)), networkpolicy.Options{File: "cluster.yaml"})
	fmt.Println(err)
	// Output: cluster.yaml:7:3: NetworkPolicy default/db spec: a field that is not known; known are podSelector, policyTypes, ingress and egress: "podSelect"
}
