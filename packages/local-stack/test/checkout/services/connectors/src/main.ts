import '../../../service.ts';
