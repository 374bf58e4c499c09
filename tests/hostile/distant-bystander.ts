/** A bystander that runs in a process of its own. */
import path from 'node:path'
import { startScript, type RunningScript } from '../support/script.ts'
import { within } from '../support/until.ts'

export class DistantBystander {
  readonly #script: RunningScript
  readonly #told: ((silentMs: number) => void)[] = []
  #silentMs = 0

  private constructor(folder: string, name: string, hub: string) {
    const script = path.join(import.meta.dirname, 'bystander-process.ts')
    this.#script = startScript(script, [folder, name, hub], {
      onLine: (line) => this.#told.shift()?.(Number(line)),
    })
  }

  static async open(folder: string, name: string, hub: string): Promise<DistantBystander> {
    const bystander = new DistantBystander(folder, name, hub)
    await bystander.#answer()
    return bystander
  }

  /** The longest that it had waited for an ack since `begin` when it last answered, ms. */
  get silentMs(): number {
    return this.#silentMs
  }

  begin(): void {
    this.#script.tell('begin')
  }

  /** Resolves when so many more were acknowledged. */
  async more(count: number): Promise<void> {
    this.#script.tell(`more ${count}`)
    this.#silentMs = await this.#answer()
  }

  async close(): Promise<void> {
    this.#script.tell('close')
    const code = await within('a bystander ends', this.#script.ended)
    if (code !== 0) throw new Error(`a bystander ended with ${code}: ${this.#script.stderr()}`)
  }

  #answer(): Promise<number> {
    const told = new Promise<number>((resolve) => this.#told.push(resolve))
    const gone = this.#script.ended.then((code) => {
      throw new Error(`a bystander ended with ${code}: ${this.#script.stderr()}`)
    })
    return Promise.race([told, gone])
  }
}
