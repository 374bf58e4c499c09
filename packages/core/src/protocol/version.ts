/** Version of the messages and their encoding; a peer of another one is refused with PROTOCOL_VERSION. */
export const PROTOCOL_VERSION = 1

/** What a replica may offer. Unknown ones are ignored; without `delta` it always gets a snapshot. */
export const capabilities = ['delta'] as const
export type Capability = (typeof capabilities)[number]
