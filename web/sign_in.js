// The page to log in. Who is logged in already goes on to the label page.
import { ask } from './api.js';
import { enterBy } from './entry.js';

enterBy('/api/sign-in');
ask('/api/state').then(() => location.replace('/'), () => {});
