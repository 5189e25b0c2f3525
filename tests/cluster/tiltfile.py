# Evaluates the Tiltfile with functions that record what it asks for in place of Tilt's, and prints that as JSON. Starlark
# is close enough to Python for a file that keeps to what both have.
import json
import sys

recorded = []


class TiltfileFailure(Exception):
    pass


def plain(value):
    if callable(value):
        return value.__name__
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def recording(name):
    def function(*args, **kwargs):
        call = {'call': name, 'args': plain(args), 'kwargs': plain(kwargs)}
        recorded.append(call)
        return call

    function.__name__ = name
    return function


def fail(message):
    raise TiltfileFailure(message)


class config:
    define_string_list = staticmethod(recording('define_string_list'))

    @staticmethod
    def parse():
        return {'services': sys.argv[2:]} if len(sys.argv) > 2 else {}


names = [
    'allow_k8s_contexts', 'update_settings', 'docker_build', 'fall_back_on', 'sync', 'k8s_yaml', 'helm', 'blob',
    'k8s_resource', 'local_resource', 'port_forward', 'link',
]
surroundings = {name: recording(name) for name in names}
surroundings.update(config=config, fail=fail, TRIGGER_MODE_MANUAL='manual', __builtins__={
    'len': len, 'range': range, 'enumerate': enumerate, 'zip': zip, 'sorted': sorted, 'dict': dict, 'list': list, 'str': str,
})
with open(sys.argv[1]) as file:
    try:
        exec(compile(file.read(), sys.argv[1], 'exec'), surroundings)
    except TiltfileFailure as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
print(json.dumps(recorded))
