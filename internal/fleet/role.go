package fleet

// Role is what a worker is to a partition by the plan.
type Role int

// Who may ask for the pin of a partition.
const (
	// RoleOwner asks: the partition is this worker's, or that of one who fell silent.
	RoleOwner Role = iota
	// RoleStandby asks too: the partition is another's, who holds it, and the pin is to
	// inherit when that one dies.
	RoleStandby
	// RoleBystander does not: the partition is about to be another's, and who asked now
	// would come in between.
	RoleBystander
)
