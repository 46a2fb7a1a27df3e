// Listening sockets: as Linux and as lsof write them, and a real one with its process and folder.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { listListening, parseLsof, parseSockets } from './processes.ts';

describe('who listens', () => {
  test('in the words of the kernel', () => {
    const text = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n';
    assert.deepEqual(parseSockets(text), [{ port: 8080, address: '127.0.0.1', inode: '4711' }]);
    const six = (host: string): string | undefined => parseSockets(`head\n 0: ${host}:0050 0:0 0A a b c d e 1 1\n`)[0]?.address;
    assert.deepEqual([six('00000000000000000000000000000000'), six('00000000000000000000000001000000'), six('B80D0120000000000000000001000000')], ['::', '::1', '2001:db8::1']);
  });

  test('in the words of lsof', () => {
    assert.deepEqual(parseLsof('p12\ncnode\nf20\nn*:3000\nf21\nn127.0.0.1:3001\np13\ncruby\nf3\nn[::1]:80\n'), [{ pid: 12, command: 'node', name: '*:3000' }, { pid: 12, command: 'node', name: '127.0.0.1:3001' }, { pid: 13, command: 'ruby', name: '[::1]:80' }]);
  });

  test('a server of this process is found with its folder', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : null;
    const found = (await listListening()).find((one) => one.port === port);
    server.close();
    assert.deepEqual([found?.process?.pid, found?.process?.cwd], [process.pid, process.cwd()]);
  });
});
