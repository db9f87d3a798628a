// The page behind an invite link. The invite stands behind the link's #, which no server and no log sees.
import { enterBy } from './entry.js';

enterBy('/api/join', () => ({ invite: location.hash.slice(1) }));
