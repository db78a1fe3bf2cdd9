package fleet

// Role says whether a worker asks the broker for a partition's pin.
type Role int

const (
	// RoleOwner asks: the plan gives the partition to this worker, or to a silent one.
	RoleOwner Role = iota
	// RoleStandby asks too: another worker holds the partition, and this one inherits the pin.
	RoleStandby
	// RoleBystander does not ask: it could take the pin before the worker to which the partition moves.
	RoleBystander
)
