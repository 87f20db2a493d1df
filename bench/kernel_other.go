//go:build !linux

package main

// kernelChanges says that there are no such tools.
func kernelChanges(int, func(string) (string, error)) *kernelTimes {
	k := &kernelTimes{Skipped: map[string]string{}}
	for _, t := range kernelTools() {
		k.Skipped[t.name] = "only on Linux"
	}
	return k
}
