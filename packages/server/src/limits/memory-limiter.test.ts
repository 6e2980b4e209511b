import { limiterContract } from './limiter.contract.ts';
import { MemoryLimiter } from './memory-limiter.ts';

limiterContract('memory', (clock) => new MemoryLimiter(clock));
