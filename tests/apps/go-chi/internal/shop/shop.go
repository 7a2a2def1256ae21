// Package shop is what both programs share.
package shop

// Orders are what there is to work at.
var Orders = []string{"apples", "pears", "plums"}
