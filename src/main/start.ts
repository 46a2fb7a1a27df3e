// The entry of the command line: compiled code is kept between two commands, so that the second one starts sooner.
import { enableCompileCache } from 'node:module';
import { codeCacheFolder } from '#platform/config.ts';

enableCompileCache(codeCacheFolder());
await import('./cli.ts');
