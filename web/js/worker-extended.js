// A worker of the build that decompresses the extended profile.

import { module } from './modules-extended.js';
import { serve } from './serve.js';

serve(module);
