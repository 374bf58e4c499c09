/** Version of the messages and their encoding; a peer of another one is refused with PROTOCOL_VERSION. */
export const PROTOCOL_VERSION = 1

/**
 * What a replica may offer. Unknown ones are ignored. Without `delta` it always gets a snapshot; with `rebuild` it makes a
 * rebuilt document itself where it stands at the rebuild, and otherwise gets it as a snapshot; with `newer` it is told of
 * commits of a newer version of the domain than its own; with `heal` it gives back what the hub has lost since, and believes
 * a mark of the hub that is lower than it was; `more` says that a snapshot of this hub lacked what the replica has; with `trim`
 * the greeting ends with a state vector, and a tail leaves out what that names; `zlib`, which the codec of a replica offers by
 * itself, takes snapshots packed.
 */
export const capabilities = ['delta', 'rebuild', 'newer', 'heal', 'more', 'trim', 'zlib'] as const
export type Capability = (typeof capabilities)[number]
