<?php

$request = curl_init('https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/sources');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('PARLEY_API_KEY')],
    CURLOPT_POSTFIELDS => ['file' => new CURLFile('faq.md')],
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['data']['id'], "\n";
