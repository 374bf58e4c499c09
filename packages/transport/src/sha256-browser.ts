/** SHA-256 for browsers, whose own is asynchronous. In Node `sha256-node.ts` stands in its place. */
export { sha256 } from '@noble/hashes/sha2.js'
