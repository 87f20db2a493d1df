package hipac

import "fmt"

// Fingerprint writes out a classifier's compiled structure.
func Fingerprint[T any](c *Classifier[T]) string { return fmt.Sprint(*c.tree, c.decide) }
