/** Ends a command with exit code 1 after it has said everything by itself. */
export class Refusal extends Error {}
