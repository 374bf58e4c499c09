/** Serves the page of the tests on loopback, bundled from the sources as an app's bundler would. */
import { createServer } from 'node:http'
import path from 'node:path'
import { build, defaultClientConditions } from 'vite'

export interface PageServer {
  /** `http://127.0.0.1:PORT`: an origin of its own. */
  readonly origin: string
  close(): Promise<void>
}

/** The script of the page. */
export async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    define: { 'process.env.NODE_ENV': '"production"' },
    resolve: { conditions: ['@rejoin/source', ...defaultClientConditions] },
    build: {
      write: false,
      minify: false,
      target: 'es2023',
      lib: { entry: path.join(import.meta.dirname, 'page/page.ts'), formats: ['es'], fileName: 'page' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (output === undefined || !('output' in output)) throw new Error('vite has built nothing')
  return output.output[0].code
}

/** `/` runs the script, `/blank` is a page of the same origin without it. */
export async function servePage(script: string): Promise<PageServer> {
  const server = createServer(({ url }, response) => {
    const isScript = url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    if (isScript) response.end(script)
    else response.end(url === '/' ? '<!doctype html><script type="module" src="/page.js"></script>' : '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the page has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
